import { describe, expect, it } from 'vitest'
import { createAdmission, type Admission } from '../../../src/workers/admission.js'
import { refusal } from '../../support/scenario.js'
import { failure } from '../service/lab.js'

const LATER = performance.now() + 1e9

/** Asks for a place, and does not mind whether it comes. */
function enter (admission: Admission): void { admission.enter(LATER)?.catch(() => {}) }

describe('admission', () => {
  it('lets as many run as there are workers, and the others in turn', async () => {
    const admission = createAdmission({ run: 2, queue: 10 })
    expect([admission.enter(LATER), admission.enter(LATER)]).toEqual([undefined, undefined])
    const order: string[] = []
    const waiting = ['a', 'b', 'c'].map(name => admission.enter(LATER)?.then(() => order.push(name)))
    expect([admission.running, admission.queued]).toEqual([2, 3])
    admission.leave(1)
    admission.leave(1)
    await Promise.all(waiting.slice(0, 2))
    expect(order).toEqual(['a', 'b'])
    admission.leave(1)
    await waiting[2]
    admission.leave(1)
    admission.leave(1)
    expect([admission.running, admission.queued]).toEqual([0, 0])
  })

  it('refuses beyond its queue, with a time to come back that grows with the work', () => {
    const admission = createAdmission({ run: 1, queue: 2 })
    for (let i = 0; i < 3; i++) enter(admission)
    expect(refusal('overloaded', () => admission.enter(LATER)).details).toEqual({ retry_after: 1 })
    for (let i = 0; i < 100; i++) {
      admission.leave(5000)
      enter(admission)
    }
    expect(refusal('overloaded', () => admission.enter(LATER)).details['retry_after']).toBeGreaterThan(5)
    expect(admission.refused).toBe(2)
  })

  it('passes over who waited past the deadline', async () => {
    const admission = createAdmission({ run: 1, queue: 5 })
    enter(admission)
    const late = admission.enter(performance.now() - 1)
    const next = admission.enter(LATER)
    admission.leave(1)
    await failure('deadline_exceeded', late ?? Promise.resolve())
    await next
    expect(admission.running).toBe(1)
  })

  it('closes when what runs is done, and refuses the rest at once', async () => {
    const admission = createAdmission({ run: 1, queue: 5 })
    enter(admission)
    const waiting = admission.enter(LATER)
    let isClosed = false
    const closing = admission.close().then(() => { isClosed = true })
    await failure('draining', waiting ?? Promise.resolve())
    refusal('draining', () => admission.enter(LATER))
    expect(isClosed).toBe(false)
    admission.leave(1)
    await closing
    await admission.close()
  })
})
