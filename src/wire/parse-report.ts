import { isFields, isListOf, isText, isTextOrNull } from './guards.js'
import type { Report, ReportPlace, ReportProgram, ReportRelocation, ReportSource, Verdict } from './report.js'

/** The report, or undefined where the value is none. Checks what callers rely on, and lets newer services say more. */
export function parseReport (value: unknown): Report | undefined { return isReport(value) ? value : undefined }

/** The relocations in the details of `relocation_failed` and `unresolved_reachable`. */
export function relocationsIn (value: unknown): readonly ReportRelocation[] {
  return Array.isArray(value) && value.every(isRelocation) ? value : []
}

function isReport (value: unknown): value is Report {
  if (!isFields(value)) return false
  const { object, kernel, result, engine, verdict, counts, programs, relocations, warnings } = value
  return isFields(object) && typeof object['sha256'] === 'string' &&
    isFields(kernel) && isTextOrNull(kernel['reference']) &&
    typeof kernel['btf_sha256'] === 'string' && typeof kernel['source'] === 'string' &&
    isFields(result) && typeof result['sha256'] === 'string' && typeof result['changed_instructions'] === 'number' &&
    isFields(engine) && typeof engine['version'] === 'string' &&
    isVerdict(verdict) && isListOf(value['assumes'], isText) && typeof value['loads_without_kernel_btf'] === 'boolean' &&
    isFields(counts) && ['resolved', 'absent', 'poisoned'].every(name => typeof counts[name] === 'number') &&
    isListOf(programs, isProgram) && isListOf(relocations, isRelocation) &&
    isListOf(warnings, warning => isFields(warning) && typeof warning['message'] === 'string')
}

function isNumberOrText (value: unknown): value is number | string { return typeof value === 'number' || typeof value === 'string' }

function isVerdict (value: unknown): value is Verdict { return value === 'loads' || value === 'fails' || value === 'unknown' }

export function isProgram (value: unknown): value is ReportProgram {
  return isFields(value) && isText(value['name']) && isText(value['section']) && isVerdict(value['verdict']) &&
    isTextOrNull(value['verdict_reason']) && isListOf(value['assumes'], isText) && isTextOrNull(value['needs_kernel_btf'])
}

const STATUSES: readonly unknown[] = ['resolved', 'absent', 'poisoned', 'failed']

function isRelocation (value: unknown): value is ReportRelocation {
  if (!isFields(value) || !STATUSES.includes(value['status'])) return false
  const { old, new: now } = value
  return ['kind', 'type', 'access', 'access_spec'].every(name => isText(value[name])) &&
    isNumberOrText(old) && (now === null || isNumberOrText(now)) &&
    isTextOrNull(value['reason']) && isTextOrNull(value['detail']) &&
    isListOf(value['suggestions'], suggestion => isFields(suggestion) && isText(suggestion['text']) && isText(suggestion['code'])) &&
    isListOf(value['places'], isPlace) && typeof value['places_total'] === 'number'
}

function isPlace (value: unknown): value is ReportPlace {
  if (!isFields(value)) return false
  const { source, reachable, behind_poison: behind } = value
  return isText(value['program']) && isText(value['section']) && typeof value['instruction'] === 'number' &&
    (reachable === null || typeof reachable === 'boolean') &&
    (behind === undefined || behind === null || typeof behind === 'boolean') &&
    (source === null || isSource(source))
}

export function isSource (value: unknown): value is ReportSource {
  return isFields(value) && isText(value['file']) && typeof value['line'] === 'number' && isText(value['text'])
}
