import type { ComparedRow } from './parse.js'
import type { Cell, Cells, NamedObject } from './types.js'
import type { CheckState, Comparison } from './wire.js'

/** Compares rows with an earlier answer. */
export type Baseline = (object: Pick<NamedObject, 'sha256' | 'name'>, kernel: string, state: CheckState) => Comparison

/**
 * An object is the same by its content or, since each build makes another one, by its name. What of several rows said of it the last
 * one counts.
 */
export function createBaseline (rows: readonly ComparedRow[]): Baseline {
  const states = new Map<string, CheckState>()
  for (const { object, name, kernels, state } of rows) {
    for (const kernel of kernels) {
      states.set(keyOf(name, kernel), state)
      states.set(keyOf(object, kernel), state)
    }
  }
  return ({ sha256, name }, kernel, state) => {
    const before = states.get(keyOf(sha256, kernel)) ?? states.get(keyOf(name, kernel))
    return before === undefined ? 'new' : before === state ? 'same' : 'changed'
  }
}

function keyOf (object: string, kernel: string): string { return `${kernel} ${object}` }

/** The cells, each with how it stands to the earlier answer. */
export async function * compared (cells: Cells, baseline: Baseline): AsyncGenerator<readonly Cell[]> {
  for await (const some of cells) {
    yield some.map(cell => ({ ...cell, baseline: baseline(cell.object, cell.kernel, cell.outcome.state) }))
  }
}
