import { setImmediate } from 'node:timers/promises'
import type { CellBatch, Cells } from '../check/cells.js'
import type { Check } from '../check/checks.js'
import { FORMATS, type FormatType } from '../check/formats/formats.js'
import { endingCells, type Writer } from '../check/formats/writer.js'
import { CHECK_LIMITS } from '../check/limits.js'
import { createSummaryCounter, type SummaryCounter } from '../check/summary.js'
import { AppError } from '../errors.js'
import { toAppError } from './errors.js'

export interface CheckAnswerOptions {
  readonly type: FormatType
  readonly isGrouped: boolean
  /** Milliseconds without a row after which an empty line is sent. */
  readonly heartbeatMs?: number
  readonly maxBytes?: number
  /** Told of what ended the rows early. */
  readonly onProblem?: (error: AppError) => void
}

/** Proxies close a connection on which nothing moves, the strictest after half a minute. */
const HEARTBEAT_MS = 10_000
/** Bytes that go out as one piece, and how long the first of them wait for others. */
const PIECE_BYTES = 32 * 1024
const GATHER_MS = 20

/** The answer in pieces, made while they are taken. The counter knows the sum when they have ended. */
export function answerOf (
  check: Check,
  options: CheckAnswerOptions
): { readonly pieces: AsyncGenerator<Buffer>, readonly counter: SummaryCounter } {
  const { type, isGrouped, heartbeatMs = HEARTBEAT_MS, maxBytes = CHECK_LIMITS.answerBytes, onProblem = () => {} } = options
  const pause = check.pause ?? setImmediate
  const counter = createSummaryCounter(check.objects, { comparison: check.hasBaseline })
  const size = { bytes: 0 }
  const ending = endingCells(inTurns(bounded(check.cells, size, maxBytes), pause), counter, error => {
    const problem = toAppError(error)
    onProblem(problem)
    return problem
  })
  const texts = FORMATS[type]({ objects: check.objects, counter, isGrouped, ...ending })
  return { counter, pieces: gathered(texts, { size, maxBytes, heartbeatMs, pause }) }
}

/** Ends the rows where what was sent of them is all that may be. */
async function * bounded (cells: Cells, size: { readonly bytes: number }, maxBytes: number): AsyncGenerator<CellBatch> {
  for await (const batch of cells) {
    if (size.bytes > maxBytes) throw tooLarge(maxBytes)
    yield batch
  }
}

/** Rows that are known already come without a pause; others have their turn between them. */
async function * inTurns (cells: Cells, pause: Pause): AsyncGenerator<CellBatch> {
  for await (const batch of cells) {
    yield batch
    await pause()
  }
}

type Pause = NonNullable<Check['pause']>

interface Gathering {
  readonly size: { bytes: number }
  readonly maxBytes: number
  readonly heartbeatMs: number
  readonly pause: Pause
}

async function * gathered (
  texts: ReturnType<Writer>, { size, maxBytes, heartbeatMs, pause }: Gathering
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let bytes = 0
  const take = (): Buffer => {
    const [first] = parts
    const piece = first !== undefined && parts.length === 1 ? first : Buffer.concat(parts, bytes)
    parts = []
    bytes = 0
    return piece
  }
  let pending = texts.next()
  try {
    for (;;) {
      const next = await within(pending, bytes === 0 ? heartbeatMs : GATHER_MS)
      if (next === undefined) {
        yield bytes === 0 ? Buffer.from('\n') : take()
        continue
      }
      if (next.done === true) break
      const part = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
      parts.push(part)
      bytes += part.length
      size.bytes += part.length
      if (size.bytes > 2 * maxBytes) throw tooLarge(maxBytes) // a form that is written once all rows are there
      pending = texts.next()
      if (bytes < PIECE_BYTES) continue
      yield take()
      await pause() // what there is of all rows is written in one go
    }
    if (bytes > 0) yield take()
  } finally {
    pending.catch(() => {}) // nobody waits for it any more
    await texts.return(undefined)
  }
}

/** What the work gives, or undefined where it takes longer. */
async function within<T> (work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([work, new Promise<undefined>(resolve => { timer = setTimeout(resolve, ms, undefined) })])
  } finally {
    clearTimeout(timer)
  }
}

function tooLarge (maxBytes: number): AppError {
  return new AppError('too_large',
    `The answer has more than ${maxBytes} bytes; ask for fewer kernels at once, or for groups (group=outcome).`, { limit: maxBytes })
}
