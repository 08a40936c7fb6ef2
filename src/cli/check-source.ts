import type { Cells } from '../check/cells.js'
import type { NamedObject } from '../check/types.js'

/** Rows of a check, made here or by a service. */
export interface CheckSource {
  /** With what is warned of once the rows have ended. */
  readonly objects: ReadonlyArray<Pick<NamedObject, 'sha256' | 'name' | 'warning'>>
  /** How many rows there will be, where that is known. */
  readonly rows: number | undefined
  readonly cells: Cells
  close(): Promise<void>
}
