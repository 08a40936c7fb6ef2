import { describe, expect, it } from 'vitest'
import { createSchedule } from '../../../src/agent/schedule.js'
import { toError, transportError } from '../../../src/client/problem.js'
import type { AppError } from '../../../src/errors.js'

const down = (): AppError => transportError('source_failed', 'http://service', 'It is down.', undefined)
const unknown = (): AppError => toError({
  server: 'http://service',
  status: 404,
  contentType: 'application/problem+json',
  retryAfter: null,
  body: Buffer.from('{"code":"kernel_unknown","detail":"Nobody knows it."}')
})

describe('the schedule of an agent', () => {
  const begin = (): ReturnType<typeof createSchedule> => {
    const schedule = createSchedule({ refreshMs: 10_000, retryMs: 4000 })
    schedule.set('a', 0)
    schedule.set('b', 0)
    return schedule
  }

  it('leaves a settled object alone for about the refresh time', () => {
    const schedule = begin()
    schedule.settled('a', 1000)
    schedule.settled('b', 1000)
    expect(schedule.next()).toBeGreaterThanOrEqual(9000)
    expect(schedule.next()).toBeLessThanOrEqual(13_000)
    expect(schedule.isDue('a', 8999)).toBe(false)
    expect(schedule.isDue('a', 13_000)).toBe(true)
  })

  it('asks for nothing while the service is down, and waits longer each time, but never longer than it may', () => {
    const schedule = begin()
    expect(schedule.failed('a', down(), 0)).toBeLessThanOrEqual(500)
    expect(schedule.isDue('b', 200)).toBe(false)
    expect(schedule.isDue('b', 500)).toBe(true)
    let wait = 0
    for (let i = 0; i < 40; i++) wait = schedule.failed('a', down(), 0)
    expect(wait).toBeGreaterThanOrEqual(2000)
    expect(wait).toBeLessThanOrEqual(4000)
    expect(schedule.isHeldUp).toBe(true)
    schedule.settled('a', 5000)
    expect(schedule.isHeldUp).toBe(false)
    expect(schedule.isDue('b', 5000)).toBe(true)
  })

  it('asks for nothing while the service fetches the kernel, which all objects need', () => {
    const schedule = begin()
    const fetching = toError({
      server: 'http://service',
      status: 503,
      contentType: 'application/problem+json',
      retryAfter: '3',
      body: Buffer.from('{"code":"fetching","detail":"It is being fetched."}')
    })
    expect(schedule.failed('a', fetching, 0)).toBeGreaterThanOrEqual(3000)
    expect([schedule.isHeldUp, schedule.isDue('b', 2999)]).toEqual([true, false])
    schedule.settled('a', 6000)
    expect([schedule.isHeldUp, schedule.isDue('b', 6000)]).toEqual([false, true])
  })

  it('asks about the other objects while one waits for its kernel to become known', () => {
    const schedule = begin()
    for (let i = 0; i < 30; i++) expect(schedule.failed('a', unknown(), 0)).toBeLessThanOrEqual(10_000)
    expect(schedule.isHeldUp).toBe(false)
    expect(schedule.isDue('a', 4000)).toBe(false)
    expect(schedule.isDue('b', 0)).toBe(true)
  })

  it('asks at once about an object that changed', () => {
    const schedule = begin()
    schedule.failed('a', unknown(), 0)
    schedule.set('a', 1)
    expect(schedule.isDue('a', 1)).toBe(true)
    schedule.forget('a')
    schedule.forget('b')
    expect(schedule.next()).toBe(Infinity)
  })
})
