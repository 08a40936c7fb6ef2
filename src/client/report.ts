/** The report of the contract, as it comes over the wire. */
export interface Report {
  readonly object: { readonly sha256: string, readonly bytes: number }
  /** `reference` is null where only content was named. */
  readonly kernel: { readonly reference: string | null, readonly btf_sha256: string, readonly source: string }
  readonly result: { readonly sha256: string, readonly bytes: number, readonly changed_instructions: number }
  readonly verdict: Verdict
  readonly counts: { readonly resolved: number, readonly absent: number, readonly poisoned: number }
  readonly programs: readonly ReportProgram[]
  readonly relocations: readonly ReportRelocation[]
  readonly warnings: ReadonlyArray<{ readonly code: string, readonly message: string }>
}

export type Verdict = 'loads' | 'fails' | 'unknown'

export interface ReportProgram {
  readonly name: string
  readonly section: string
  readonly verdict: Verdict
  readonly verdict_reason: string | null
  readonly needs_kernel_btf: string | null
  readonly relocations: number
}

export interface ReportRelocation {
  readonly program: string
  readonly section: string
  readonly instruction: number
  readonly kind: string
  readonly type: string
  readonly access: string
  readonly access_spec: string
  readonly source: { readonly file: string, readonly line: number, readonly text: string } | null
  readonly status: 'resolved' | 'absent' | 'poisoned' | 'failed'
  readonly reachable: boolean | null
  readonly old: number | string
  readonly new: number | string | null
  readonly reason: string | null
  readonly detail: string | null
  readonly suggestions: readonly string[]
}

/** The report, or undefined where the value is none. Checks what callers rely on, and lets newer services say more. */
export function parseReport (value: unknown): Report | undefined { return isReport(value) ? value : undefined }

/** The relocations in the details of `relocation_failed` and `unresolved_reachable`. */
export function relocationsIn (value: unknown): readonly ReportRelocation[] { return Array.isArray(value) && value.every(isRelocation) ? value : [] }

type Fields = Readonly<Record<string, unknown>>

function isFields (value: unknown): value is Fields { return typeof value === 'object' && value !== null }

function isReport (value: unknown): value is Report {
  if (!isFields(value)) return false
  const { object, kernel, result, verdict, counts, programs, relocations, warnings } = value
  return isFields(object) && typeof object['sha256'] === 'string' &&
    isFields(kernel) && isTextOrNull(kernel['reference']) && typeof kernel['btf_sha256'] === 'string' && typeof kernel['source'] === 'string' &&
    isFields(result) && typeof result['sha256'] === 'string' && typeof result['changed_instructions'] === 'number' &&
    isVerdict(verdict) &&
    isFields(counts) && ['resolved', 'absent', 'poisoned'].every(name => typeof counts[name] === 'number') &&
    Array.isArray(programs) && programs.every(isProgram) &&
    Array.isArray(relocations) && relocations.every(isRelocation) &&
    Array.isArray(warnings) && warnings.every(warning => isFields(warning) && typeof warning['message'] === 'string')
}

function isTextOrNull (value: unknown): value is string | null { return value === null || typeof value === 'string' }

function isNumberOrText (value: unknown): value is number | string { return typeof value === 'number' || typeof value === 'string' }

function isVerdict (value: unknown): value is Verdict { return value === 'loads' || value === 'fails' || value === 'unknown' }

function isProgram (value: unknown): value is ReportProgram {
  return isFields(value) && typeof value['name'] === 'string' && typeof value['section'] === 'string' && isVerdict(value['verdict']) &&
    isTextOrNull(value['verdict_reason']) && isTextOrNull(value['needs_kernel_btf'])
}

const STATUSES: readonly unknown[] = ['resolved', 'absent', 'poisoned', 'failed']

function isRelocation (value: unknown): value is ReportRelocation {
  if (!isFields(value) || !STATUSES.includes(value['status'])) return false
  const { source, old, new: now, reachable, suggestions } = value
  return ['program', 'section', 'kind', 'type', 'access', 'access_spec'].every(name => typeof value[name] === 'string') &&
    typeof value['instruction'] === 'number' &&
    (source === null || (isFields(source) && typeof source['file'] === 'string' && typeof source['line'] === 'number' && typeof source['text'] === 'string')) &&
    isNumberOrText(old) && (now === null || isNumberOrText(now)) && (reachable === null || typeof reachable === 'boolean') &&
    isTextOrNull(value['reason']) && isTextOrNull(value['detail']) &&
    Array.isArray(suggestions) && suggestions.every(suggestion => typeof suggestion === 'string')
}
