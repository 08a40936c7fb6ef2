import type { AppError } from '../../errors.js'
import type { CellBatch, Cells } from '../cells.js'
import type { SummaryCounter } from '../summary.js'
import type { NamedObject } from '../types.js'

/** What a form of the answer is written from. */
export interface Written {
  readonly objects: ReadonlyArray<Pick<NamedObject, 'sha256' | 'name' | 'warning'>>
  /** Rows as they come. They end early where something went wrong: see `problem`. */
  readonly cells: Cells
  readonly counter: SummaryCounter
  /** Whether kernels with equal outcomes are one row. */
  readonly isGrouped: boolean
  /** Once the rows have ended: why there are no more of them. */
  problem(): AppError | undefined
}

/**
 * One form of the answer, in pieces of text, some of which are encoded already: as UTF-8, with no character in two of them. Between two
 * pieces white space may be put: for who waits for the first row, or for the next one, to see that the connection lives.
 */
export type Writer = (written: Written) => AsyncGenerator<string | Buffer>

/** Rows that end instead of failing, since the answer has begun by then and has to say so itself. */
export function endingCells (
  cells: Cells,
  counter: SummaryCounter,
  toError: (error: unknown) => AppError
): Pick<Written, 'cells' | 'problem'> {
  let problem: AppError | undefined
  return {
    problem: () => problem,
    cells: (async function * (): AsyncGenerator<CellBatch> {
      try {
        for await (const batch of cells) {
          counter.add(batch)
          yield batch
        }
      } catch (error) {
        problem = toError(error)
      }
    })()
  }
}
