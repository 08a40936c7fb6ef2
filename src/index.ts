/** The library: relocate eBPF objects in process. Pure functions over bytes; nothing here touches files or the network. */
export { applyPatches, inspectObject, listPatches, parseBtf, parseObject, relocate } from './core/index.js'
export type {
  BpfObject, InspectedProgram, InspectedRelocation, Inspection, OutcomeCounts, ParseBtfOptions, Patch, Patches, RecordOutcome,
  RecordStatus, RelocateOptions, Relocation, Warning
} from './core/index.js'
export { minimiseBtf, type MinimiseOptions } from './min-btf/min-btf.js'
export { describeRelocation, type RelocationReport, type ReportOptions } from './report/index.js'
export type {
  JsonU64, ReportPlace, ReportProgram, ReportRelocation, ReportSource, ReportSuggestion, ReportWarning, Verdict
} from './report/wire.js'
export { judge, type JudgeOptions, type Judgement, type ProgramVerdict } from './verdict/index.js'
export type { Btf } from './btf/btf.js'
export { AppError, type ErrorCode, type ErrorDetails } from './errors.js'
