import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { withDeadline } from '../../../src/http/deadline.js'
import type { Deadline } from '../../../src/relocation/types.js'

const response = (): ServerResponse => new EventEmitter() as unknown as ServerResponse
const never = async (): Promise<never> => await new Promise<never>(() => {})

describe('a deadline', () => {
  it('lets work through that is done before it, and leaves nothing behind', async () => {
    const raw = response()
    expect(await withDeadline(raw, 1000, async () => 'done')).toBe('done')
    expect(raw.listenerCount('close')).toBe(0)
  })

  it('does not make work wait that is done at once', () => {
    const raw = response()
    expect(withDeadline(raw, 1000, () => 'done')).toBe('done')
    expect(raw.listenerCount('close')).toBe(0)
  })

  it('passes on how work failed', async () => {
    await expect(withDeadline(response(), 1000, async () => { throw new Error('failed') })).rejects.toThrow('failed')
  })

  it('ends the waiting, and tells the work', async () => {
    let signal: AbortSignal | undefined
    await expect(withDeadline(response(), 5, async given => {
      signal = given.signal
      return await never()
    })).rejects.toMatchObject({ code: 'deadline_exceeded', details: { deadline_ms: 5 } })
    expect(signal?.reason).toMatchObject({ code: 'deadline_exceeded' })
  })

  it('tells work that looks only after the end', async () => {
    let late: Deadline | undefined
    await expect(withDeadline(response(), 5, async given => {
      late = given
      return await never()
    })).rejects.toMatchObject({ code: 'deadline_exceeded' })
    expect(late?.signal.aborted).toBe(true)
  })

  it('ends the waiting when the caller goes away', async () => {
    const raw = response()
    const waiting = withDeadline(raw, 1000, never)
    raw.emit('close')
    await expect(waiting).rejects.toMatchObject({ code: 'request_timeout' })
  })
})
