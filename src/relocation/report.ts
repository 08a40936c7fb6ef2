import type { OutcomeCounts } from '../core/outcome.js'
import type { RelocationReport } from '../core/report.js'
import { ENGINE } from './engine.js'
import type { Sha256 } from '../store/sha256.js'
import type { Warning } from './types.js'

/** What surrounds the engine's report: who was asked for what, and the content it is about. */
export interface ReportFacts {
  readonly object: { readonly sha256: Sha256, readonly bytes: number }
  readonly kernel: {
    readonly reference: string | null
    readonly btf_sha256: Sha256
    readonly source: string
    /** BTF of the modules that were consulted, in their order. */
    readonly modules?: readonly Sha256[]
  }
  /** Besides those of the engine. */
  readonly warning?: Warning | undefined
  /** Null where the object is refused. */
  readonly result: { readonly sha256: Sha256, readonly bytes: number } | null
}

/** The report of the contract: what the engine found, with what only its caller knows around it. Failed records are counted where there are any. */
export function toReport ({ object, kernel, warning, result }: ReportFacts, report: RelocationReport): Record<string, unknown> {
  return {
    object: { ...object, byte_order: report.byte_order },
    kernel,
    result: result === null ? null : { ...result, changed_instructions: report.changed_instructions },
    engine: ENGINE,
    verdict: report.verdict,
    counts: toCounts(report.counts),
    programs: report.programs,
    relocations: report.relocations,
    warnings: [...report.warnings, ...(warning === undefined ? [] : [warning])]
  }
}

function toCounts ({ failed, ...counts }: OutcomeCounts): object { return failed === 0 ? counts : { ...counts, failed } }
