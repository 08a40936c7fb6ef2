import { createBatches } from '../check/cell-batches.js'
import type { CellBatch } from '../check/cells.js'
import { parseLine } from '../check/parse.js'
import type { CheckOutcome, CheckRow, CheckWarning } from '../check/wire.js'
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
  const lines = await client.check({ objects: named, kernels: patterns, fetch: options.has('fetch'), signal: leaving.signal })
  return {
    get objects () { return known.map(object => ({ ...object, warning: warnings.get(object.sha256) })) },
    rows: undefined,
    cells: cellsOf(lines, client.server, warn),
    async close () { leaving.abort() }
  }
}

/** @param warn told of the warnings, which come after the last row */
async function * cellsOf (
  lines: AsyncIterable<string>, server: string, warn: (warning: CheckWarning) => void
): AsyncGenerator<CellBatch> {
  const intern = createIntern()
  const batchOf = createBatches()
  for await (const line of lines) {
    if (line.trim() === '') continue // so that the connection lives
    const said = parseLine(line)
    if (said?.kind === 'summary') return said.warnings.forEach(warn)
    if (said?.kind === 'problem') throw toError(said.problem, server)
    if (said === undefined || !isSha256(said.row.object)) {
      throw new AppError('source_invalid',
        `${server} answered with a line that is no row; is it a corelo service, of a version that this one can talk to?`)
    }
    const { object, object_name: name, kernel } = said.row
    yield batchOf([{ object: { sha256: object, name }, kernel, outcome: intern(said.row) }])
  }
  throw new AppError('source_failed', `${server} ended the answer before its last row.`)
}

/** Equal outcomes as one object: groups are told by identity. */
function createIntern (): (row: CheckRow) => CheckOutcome {
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
