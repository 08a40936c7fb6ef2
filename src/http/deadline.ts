import type { ServerResponse } from 'node:http'
import { AppError } from '../errors.js'
import type { Deadline } from '../relocation/types.js'
import type { UploadLease } from './upload.js'

/**
 * Runs work that ends, at the latest, with the deadline or with the caller's connection. The work's signal aborts then; what
 * it shares with other requests goes on without this one. Work that is done at once has no need of either, nor of being
 * awaited: what most requests ask for is there, and to wait for it would cost as much as to answer.
 *
 * @throws AppError `deadline_exceeded`
 */
export function withDeadline<T> (
  response: ServerResponse,
  deadlineMs: number,
  work: (deadline: Deadline) => T | Promise<T>,
  { caller, lease, waitMs = 0 }: DeadlineOptions = {}
): T | Promise<T> {
  const ending = new Ending(caller, lease, waitMs)
  const started = work(ending)
  if (!(started instanceof Promise)) return started
  ending.keep(started)
  return untilEnd(response, deadlineMs + waitMs, started, ending)
}

export interface DeadlineOptions {
  /** As Deadline has it. */
  readonly caller?: string | undefined
  /** What the request holds of the upload budget: for as long as the work goes on, though nobody waits for it any more. */
  readonly lease?: UploadLease | undefined
  /** Milliseconds that the caller wants to wait for a fetch, on top of those that the work may take. */
  readonly waitMs?: number
}

/** The end of work. A class: an object literal with a getter would get a shape of its own for every request. */
class Ending implements Deadline {
  #controller: AbortController | undefined
  #reason: AppError | undefined
  readonly #lease: UploadLease | undefined
  readonly caller: string | undefined
  readonly waitMs: number

  constructor (caller: string | undefined, lease: UploadLease | undefined, waitMs: number) {
    this.caller = caller
    this.waitMs = waitMs
    this.#lease = lease
  }

  keep (work: Promise<unknown>): void { this.#lease?.keep(work) }

  /** Made when it is first asked for: it costs more than a small answer. */
  get signal (): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  reach (reason: AppError): void {
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}

async function untilEnd<T> (response: ServerResponse, deadlineMs: number, work: Promise<T>, ending: Ending): Promise<T> {
  let end: (reason: AppError) => void = () => {}
  const ended = new Promise<never>((_resolve, reject) => {
    end = reason => {
      ending.reach(reason)
      reject(reason)
    }
  })
  const timer = setTimeout(() => {
    end(new AppError('deadline_exceeded',
      `The work took longer than ${deadlineMs} ms; try again, or ask for less at once.`,
      { deadline_ms: deadlineMs }))
  }, deadlineMs)
  const onClose = (): void => { end(new AppError('request_timeout', 'The caller closed the connection before the answer was ready.')) }
  response.once('close', onClose)
  response.on('timeout', goOn)
  try {
    return await Promise.race([work, ended])
  } finally {
    clearTimeout(timer)
    response.off('close', onClose)
    response.off('timeout', goOn)
  }
}

/** Node closes a connection that was silent for long, unless somebody listens: a caller that waits for a fetch may be silent for longer. */
function goOn (): void {}
