import type { Relocation } from '../../src/core/outcome.js'

/** A relocation that changed nothing: the poison is in the object already. */
export const NOTHING_RELOCATED: Pick<Relocation, 'ok' | 'patches' | 'records' | 'counts' | 'changedInstructions' | 'warnings'> = {
  ok: true,
  patches: { offsets: new Uint32Array(0), before: new Uint8Array(0), after: new Uint8Array(0) },
  records: [],
  counts: { resolved: 0, absent: 0, poisoned: 0, failed: 0 },
  changedInstructions: 0,
  warnings: []
}
