import { at, placeAt, type CellBatch, type Cells } from './cells.js'
import type { ComparedRow } from './parse.js'
import type { NamedObject } from './types.js'
import { COMPARISONS, type CheckState, type Comparison } from './wire.js'

/** Compares rows with an earlier answer. */
export type Baseline = (object: Pick<NamedObject, 'sha256' | 'name'>, kernel: string, state: CheckState) => Comparison

/**
 * An object is the same by its content or, since each build makes another one, by its name. What of several rows said of it the last
 * one counts.
 */
export function createBaseline (rows: readonly ComparedRow[]): Baseline {
  /** By kernel, then by what an object is called there. */
  const states = new Map<string, Map<string, CheckState>>()
  for (const { object, name, kernels, state } of rows) {
    for (const kernel of kernels) {
      const ofKernel = states.get(kernel) ?? new Map<string, CheckState>()
      states.set(kernel, ofKernel.set(name, state).set(object, state))
    }
  }
  return ({ sha256, name }, kernel, state) => {
    const ofKernel = states.get(kernel)
    const before = ofKernel?.get(sha256) ?? ofKernel?.get(name)
    return before === undefined ? 'new' : before === state ? 'same' : 'changed'
  }
}

/** The rows, each with how it stands to the earlier answer. */
export async function * compared (cells: Cells, baseline: Baseline): AsyncGenerator<CellBatch> {
  for await (const batch of cells) {
    const { tables: { objects, kernels, outcomes }, length } = batch
    const comparisons = new Uint8Array(length)
    for (let i = 0; i < length; i++) {
      const { state } = at(outcomes, placeAt(batch.outcomes, i))
      comparisons[i] = COMPARISONS.indexOf(baseline(at(objects, placeAt(batch.objects, i)), at(kernels, placeAt(batch.kernels, i)), state))
    }
    yield { ...batch, comparisons }
  }
}
