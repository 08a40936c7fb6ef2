import { createBatches } from '../check/cell-batches.js'
import type { CellBatch } from '../check/cells.js'
import { parseLine, type CheckLine } from '../check/parse.js'
import type { CheckOutcome, CheckWarning } from '../check/wire.js'
import { AppError, ERRORS, type ErrorCode } from '../errors.js'
import { isSha256, sha256 } from '../store/sha256.js'
import type { Arguments } from './arguments.js'
import type { CheckSource } from './check-source.js'
import { objectNames } from './object-names.js'
import { createRemoteClient } from './remote-client.js'
import type { ReportWarning } from '../wire/report.js'

/**
 * Checks by a service.
 *
 * @throws AppError with the code of the service's problem, or of the failure to talk to it
 */
export async function checkRemotely (
  options: Arguments,
  objects: ReadonlyArray<{ readonly path: string, readonly bytes: Uint8Array }>,
  patterns: readonly string[]
): Promise<CheckSource> {
  const client = createRemoteClient(options)
  const leaving = new AbortController()
  const names = objectNames(objects.map(({ path }) => path))
  const named = objects.map(({ path, bytes }, i) => ({ name: names[i] ?? path, bytes }))
  const known = named.map(({ name, bytes }) => ({ name, sha256: sha256(bytes) }))
  const warnings = new Map<string, ReportWarning>()
  const warn = ({ object, code, message }: CheckWarning): void => { warnings.set(object, { code, message }) }
  const ask = async (isGrouped: boolean): Promise<AsyncIterable<string>> =>
    await client.check({ objects: named, kernels: patterns, fetch: options.has('fetch'), isGrouped, signal: leaving.signal })
  const rows = await ask(false)
  return {
    get objects () { return known.map(object => ({ ...object, warning: warnings.get(object.sha256) })) },
    rows: undefined,
    cells: cellsOf(rows, async () => await ask(true), client.server, warn),
    async close () { leaving.abort() }
  }
}

/**
 * The rows of an answer. Where they are more than one may have, which repeats what is wrong for each kernel, groups are asked for, and
 * have those that are missing.
 *
 * @param askForGroups called at most once
 * @param warn told of the warnings, which come after the last row
 */
async function * cellsOf (
  rows: AsyncIterable<string>,
  askForGroups: () => Promise<AsyncIterable<string>>,
  server: string,
  warn: (warning: CheckWarning) => void
): AsyncGenerator<CellBatch> {
  const toBatch = createToBatch()
  const first = yield * batchesOf(rows, toBatch, server)
  const end = first.kind === 'problem' && first.problem['code'] === 'too_large'
    ? yield * batchesOf(await askForGroups(), toBatch, server)
    : first
  if (end.kind === 'problem') throw toError(end.problem, server)
  end.warnings.forEach(warn)
}

type Row = Extract<CheckLine, { kind: 'row' }>
type Ending = Exclude<CheckLine, Row>

/** @returns how the answer ends */
async function * batchesOf (
  lines: AsyncIterable<string>, toBatch: (row: Row) => CellBatch | undefined, server: string
): AsyncGenerator<CellBatch, Ending> {
  for await (const line of lines) {
    if (line.trim() === '') continue // so that the connection lives
    const said = parseLine(line)
    if (said !== undefined && said.kind !== 'row') return said
    const batch = said === undefined ? undefined : toBatch(said)
    if (batch !== undefined) yield batch
    else if (said === undefined || !isSha256(said.row.object)) {
      throw new AppError('source_invalid',
        `${server} answered with a line that is no row; is it a corelo service, of a version that this one can talk to?`)
    }
  }
  throw new AppError('source_failed', `${server} ended the answer before its last row.`)
}

/** Makes batches of rows, each cell once. Undefined for a row without a cell that is new, or of something that is no hash. */
function createToBatch (): (row: Row) => CellBatch | undefined {
  const intern = createIntern()
  const batchOf = createBatches()
  const known = new Map<string, Set<string>>()
  return ({ row, kernels }) => {
    const { object, object_name: name } = row
    if (!isSha256(object)) return undefined
    const ofObject = known.get(object) ?? new Set<string>()
    known.set(object, ofObject)
    const missing = kernels.filter(kernel => !ofObject.has(kernel))
    for (const kernel of missing) ofObject.add(kernel)
    const outcome = intern(row)
    return missing.length === 0 ? undefined : batchOf(missing.map(kernel => ({ object: { sha256: object, name }, kernel, outcome })))
  }
}

/** Equal outcomes as one object: groups are told by identity. */
function createIntern (): (row: Row['row']) => CheckOutcome {
  const known = new Map<string, CheckOutcome>()
  return ({ state, reason, programs, failures, failures_total: total }) => {
    const outcome: CheckOutcome = { state, reason, programs, failures, failures_total: total }
    const key = JSON.stringify(outcome)
    const held = known.get(key) ?? outcome
    known.set(key, held)
    return held
  }
}

function toError ({ code, detail }: Readonly<Record<string, unknown>>, server: string): AppError {
  const isCode = (value: unknown): value is ErrorCode => typeof value === 'string' && Object.hasOwn(ERRORS, value)
  return new AppError(isCode(code) ? code : 'source_failed', `${server} could not answer all rows: ${String(detail)}`)
}
