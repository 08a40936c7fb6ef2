import { relocationsIn } from '../wire/parse-report.js'
import type { Report, ReportRelocation } from '../wire/report.js'
import type { AppError } from '../errors.js'

/** More lines than this nobody reads in a log; the report has them all. */
const MAX_LINES = 20

/** Why an object does not do for this kernel, in terms of its source: `exec.bpf.c:41: task_struct.state: …`, a line each. */
export function findingsOf (failure: Report | AppError): string[] {
  const relocations = 'relocations' in failure ? failure.relocations : relocationsIn(failure.details['relocations'])
  const bad = relocations.filter(({ status, places }) => status === 'failed' ||
    (status === 'poisoned' && places.some(({ reachable }) => reachable !== false)))
  return firstLines(bad.map(describe))
}

/** The programs that a kernel without BTF refuses, however they are relocated, each with why. */
export function needsOf ({ programs }: Pick<Report, 'programs'>): string[] {
  return firstLines(programs.flatMap(({ name, needs_kernel_btf: why }) => why === null ? [] : [`${name}: ${why}`]))
}

/** What the object attaches to and this kernel does not have. */
export function unattachedOf ({ warnings }: Pick<Report, 'warnings'>): string[] {
  return warnings.flatMap(({ code, message }) => code === 'attach_target_missing' ? [message] : [])
}

function firstLines (lines: readonly string[]): string[] {
  return lines.length > MAX_LINES ? [...lines.slice(0, MAX_LINES), `and ${lines.length - MAX_LINES} more`] : [...lines]
}

function describe ({ access, detail, places, places_total: total }: ReportRelocation): string {
  const place = places.find(({ reachable }) => reachable !== false) ?? places[0]
  const source = place?.source ?? null
  const where = source === null
    ? `${place?.program || 'an unused section'}, instruction ${place?.instruction ?? 0}`
    : `${source.file.replace(/^\.\//, '')}:${source.line}`
  const others = total > 1 ? ` (and at ${total - 1} more ${total === 2 ? 'place' : 'places'})` : ''
  return `${where}: ${access}: ${(detail ?? 'there is no value for it').replace(/\.$/, '')}${others}`
}
