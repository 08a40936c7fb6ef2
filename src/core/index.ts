export { parseBtf, type ParseBtfOptions } from './target-btf.js'
export { parseObject, type BpfObject } from './object.js'
export { relocate, type RelocateOptions } from './relocate.js'
export type { OutcomeCounts, RecordOutcome, RecordStatus, Relocation, Warning } from './outcome.js'
