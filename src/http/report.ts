import { AppError } from '../errors.js'
import { reportBytes } from '../relocation/report.js'
import type { RelocateAnswer } from '../relocation/types.js'

/** @throws AppError `internal_error` where the answer has no report, which is our mistake */
export function reportOf (answer: RelocateAnswer): Buffer {
  const { report, byteLength: bytes } = answer
  if (report === undefined) throw new AppError('internal_error', 'The service gave no report for a relocation that asked for one.')
  return reportBytes({
    // A relocated object has the size it came with: instructions are patched in place.
    object: { sha256: answer.objectSha256, bytes },
    kernel: {
      reference: answer.kernel,
      btf_sha256: answer.btfSha256,
      build_id: answer.buildId ?? null,
      source: answer.source,
      ...(answer.moduleSha256s.length === 0 ? {} : { modules: answer.moduleSha256s })
    },
    warning: answer.warning,
    result: { sha256: answer.sha256, bytes }
  }, report)
}
