import { AppError } from '../errors.js'
import type { RelocateAnswer } from '../service/types.js'
import { ENGINE } from '../service/engine.js'

/** The report of the contract: what the engine found, with what only the service knows around it. */
export function toReport (answer: RelocateAnswer): Record<string, unknown> {
  const { report } = answer
  if (report === undefined) throw new AppError('internal_error', 'The service gave no report for a relocation that asked for one.')
  return {
    // A relocated object has the size it came with: instructions are patched in place.
    object: { sha256: answer.objectSha256, bytes: answer.bytes.length, byte_order: report.byte_order },
    kernel: { reference: answer.kernel, btf_sha256: answer.btfSha256, source: answer.source },
    result: { sha256: answer.sha256, bytes: answer.bytes.length, changed_instructions: report.changed_instructions },
    engine: ENGINE,
    verdict: answer.verdict,
    counts: { resolved: answer.counts.resolved, absent: answer.counts.absent, poisoned: answer.counts.poisoned },
    programs: report.programs,
    relocations: report.relocations,
    warnings: report.warnings
  }
}
