import { describe, expect, it, onTestFinished } from 'vitest'
import { createOutcomes } from '../../../src/fetch/refusals.js'
import type { KernelSource, SourceOutcome } from '../../../src/kernels/sources/source.js'
import { createSourceRequests } from '../../../src/kernels/source-requests.js'
import { UBUNTU } from '../service/lab.js'

describe('a question to a source', () => {
  /** A source that answers when the signal ends it, or when the test says so. */
  const slow = (deadlineMs?: number) => {
    let answer: (outcome: SourceOutcome) => void = () => {}
    const source: KernelSource = {
      name: `slow-${deadlineMs}`,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      candidates: async () => ({ state: 'listed', references: [] }),
      fetch: async (_reference, { signal }) => await new Promise(resolve => {
        answer = resolve
        signal.addEventListener('abort', () => { resolve({ state: 'timeout', answer: 'was not answered in time' }) })
      })
    }
    return { source, answer: (outcome: SourceOutcome) => { answer(outcome) } }
  }

  it('ends at the time limit of its own that a source has, and not at that of the others', async () => {
    const requests = createSourceRequests({
      outcomes: createOutcomes(), deadlineMs: 50, keep: async () => {}, keepModules: async () => true
    })
    onTestFinished(requests.close)
    const [others, patient, impatient] = [slow(), slow(3_600_000), slow(20)]
    const kept = requests.kernel(patient.source, UBUNTU, [])
    expect(await requests.kernel(others.source, UBUNTU, [])).toMatchObject({ state: 'timeout' })
    expect(await requests.kernel(impatient.source, UBUNTU, [])).toMatchObject({ state: 'timeout' })
    patient.answer({ state: 'absent', answer: 'has it not' })
    expect(await kept).toMatchObject({ state: 'absent' })
  })
})
