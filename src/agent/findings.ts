import { relocationsIn, type Report, type ReportRelocation } from '../client/report.js'
import type { AppError } from '../errors.js'

/** More lines than this nobody reads in a log; the report has them all. */
const MAX_LINES = 20

/** Why an object does not do for this kernel, in terms of its source: `exec.bpf.c:41: task_struct.state: …`, a line each. */
export function findingsOf (failure: Report | AppError): string[] {
  const relocations = 'relocations' in failure ? failure.relocations : relocationsIn(failure.details['relocations'])
  const bad = relocations.filter(({ status, reachable }) => status === 'failed' || (status === 'poisoned' && reachable !== false))
  const lines = bad.slice(0, MAX_LINES).map(describe)
  return bad.length > MAX_LINES ? [...lines, `and ${bad.length - MAX_LINES} more`] : lines
}

function describe ({ source, program, instruction, access, detail, suggestions }: ReportRelocation): string {
  const place = source === null ? `${program || 'an unused section'}, instruction ${instruction}` : `${source.file.replace(/^\.\//, '')}:${source.line}`
  const hint = suggestions.length === 0 ? '' : `; this kernel has ${suggestions.join(', ')}`
  return `${place}: ${access}: ${(detail ?? 'there is no value for it').replace(/\.$/, '')}${hint}`
}
