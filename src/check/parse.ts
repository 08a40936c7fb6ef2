import { setImmediate } from 'node:timers/promises'
import { AppError } from '../errors.js'
import { isFields, isListOf, isText, isTextOrNull, type Fields } from '../wire/guards.js'
import { tryParse } from '../wire/parse-json.js'
import { isProgram, isSource } from '../wire/parse-report.js'
import type { OutcomeFailure } from '../report/outcome.js'
import { STATES, type CheckRow, type CheckState, type CheckSummary, type CheckWarning } from './wire.js'

function isState (value: unknown): value is CheckState { return STATES.some(state => state === value) }

/** What names an object, a kernel and a state, whatever else it says: all that a comparison needs. */
export interface ComparedRow {
  readonly object: string
  readonly name: string
  readonly kernels: readonly string[]
  readonly state: CheckState
}

/**
 * The rows of an earlier answer: JSON or NDJSON, grouped or not. What a check itself wrote is read row by row, and others get their turn
 * between them.
 *
 * @throws AppError `invalid_request` of the field `baseline`
 */
export async function parseEarlier (text: string): Promise<readonly ComparedRow[]> {
  const rows: ComparedRow[] = []
  let hasEnd = false
  let start = 0
  for (let count = 1; start < text.length; count++) {
    const end = text.indexOf('\n', start)
    const line = text.slice(start, end === -1 ? text.length : end).trim()
    start = end === -1 ? text.length : end + 1
    if (line === '' || line === '{"rows":[') continue
    if (line.startsWith('],')) {
      hasEnd = true
      continue
    }
    const value = tryParse(line.endsWith(',') ? line.slice(0, -1) : line)
    if (!isFields(value) || Array.isArray(value['rows'])) return parseWhole(text)
    if ('summary' in value || 'problem' in value) hasEnd = true
    else rows.push(toCompared(value))
    if (count % ROWS_A_TURN === 0) await setImmediate()
  }
  if (rows.length === 0 && !hasEnd) throw invalid('is empty')
  return rows
}

const ROWS_A_TURN = 500
/** Of an answer that somebody has formatted anew, which has to be read in one go. */
const MAX_WHOLE = 4 * 1024 * 1024

function parseWhole (text: string): readonly ComparedRow[] {
  if (text.length > MAX_WHOLE) throw invalid(`is not as a check wrote it, and larger than the ${MAX_WHOLE} characters that are read then`)
  const whole = tryParse(text)
  if (!isFields(whole) || !Array.isArray(whole['rows'])) throw invalid('is neither JSON nor NDJSON of a check')
  return whole['rows'].map(toCompared)
}

function toCompared (value: unknown): ComparedRow {
  if (isFields(value)) {
    const { object, object_name: name = object, kernel, kernels = [kernel], state } = value
    if (isText(object) && isText(name) && isListOf(kernels, isText) && isState(state)) return { object, name, kernels, state }
  }
  throw invalid('has a row without object, kernel or state')
}

function invalid (what: string): AppError {
  return new AppError('invalid_request',
    `The baseline ${what}; give an earlier answer of a check as it was: application/json or application/x-ndjson.`, { field: 'baseline' })
}

/** A line of a stream of rows; undefined where it is none of what a service says. */
export type CheckLine =
  | { readonly kind: 'row', readonly row: CheckRow }
  | { readonly kind: 'summary', readonly summary: CheckSummary, readonly warnings: readonly CheckWarning[] }
  | { readonly kind: 'problem', readonly problem: Readonly<Record<string, unknown>> }

export function parseLine (line: string): CheckLine | undefined {
  const value = tryParse(line)
  if (!isFields(value)) return undefined
  if (isSummaryLine(value)) return { kind: 'summary', summary: value.summary, warnings: value.warnings ?? [] }
  if (isFields(value['problem'])) return { kind: 'problem', problem: value['problem'] }
  return isRow(value) ? { kind: 'row', row: value } : undefined
}

function isRow (value: unknown): value is CheckRow {
  return isFields(value) && isText(value['object']) && isText(value['object_name']) && isText(value['kernel']) && isState(value['state']) &&
    isTextOrNull(value['reason']) && isListOf(value['programs'], isProgram) && isListOf(value['failures'], isFailure) &&
    typeof value['failures_total'] === 'number'
}

function isFailure (value: unknown): value is OutcomeFailure {
  if (!isFields(value)) return false
  const { reachable, source, suggestions } = value
  return ['program', 'section', 'kind', 'type', 'access'].every(name => isText(value[name])) && typeof value['instruction'] === 'number' &&
    (reachable === null || typeof reachable === 'boolean') && (source === null || isSource(source)) &&
    isTextOrNull(value['reason']) && isTextOrNull(value['detail']) &&
    Array.isArray(suggestions) && suggestions.every(suggestion =>
    isFields(suggestion) && isText(suggestion['text']) && isText(suggestion['code']))
}

/** Services before them say no warnings. */
function isSummaryLine (
  value: Fields
): value is { readonly summary: CheckSummary, readonly warnings?: readonly CheckWarning[] } {
  const { summary, warnings = [] } = value
  return isListOf(warnings, isWarning) && isFields(summary) &&
    ['passes', 'fails', 'undecided'].some(verdict => verdict === summary['verdict']) &&
    typeof summary['rows'] === 'number' && isFields(summary['states'])
}

function isWarning (value: unknown): value is CheckWarning {
  return isFields(value) && ['object', 'object_name', 'code', 'message'].every(name => isText(value[name]))
}
