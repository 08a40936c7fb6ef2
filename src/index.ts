/** The library: relocate eBPF objects in process. Pure functions over bytes; nothing here touches files or the network. */
export { applyPatches, describeRelocation, inspectObject, listPatches, overallVerdict, parseBtf, parseObject, relocate } from './core/index.js'
export type {
  BpfObject, InspectedProgram, InspectedRelocation, Inspection, JsonU64, OutcomeCounts, ParseBtfOptions, Patch, Patches, RecordOutcome, RecordStatus, RelocateOptions,
  Relocation, RelocationReport, ReportProgram, ReportRelocation, Verdict, Warning
} from './core/index.js'
export type { Btf } from './btf/btf.js'
export { AppError, type ErrorCode, type ErrorDetails } from './errors.js'
