import type { ServerResponse } from 'node:http'
import { AppError } from '../errors.js'
import type { Deadline } from '../service/types.js'

/**
 * Runs work that ends, at the latest, with the deadline or with the caller's connection. The work's signal aborts then; what
 * it shares with other requests goes on without this one. Work that is done at once has no need of either.
 *
 * @throws AppError `deadline_exceeded`
 */
export function withDeadline<T> (response: ServerResponse, deadlineMs: number, work: (deadline: Deadline) => T | Promise<T>): T | Promise<T> {
  let controller: AbortController | undefined
  let reasonToEnd: AppError | undefined
  const deadline: Deadline = {
    // Made when it is first asked for: work that is done at once, as most is, needs none, and it costs more than a small answer.
    get signal () {
      controller ??= new AbortController()
      if (reasonToEnd !== undefined) controller.abort(reasonToEnd)
      return controller.signal
    }
  }
  const abort = (reason: AppError): void => {
    reasonToEnd = reason
    controller?.abort(reason)
  }
  const started = work(deadline)
  return started instanceof Promise ? untilAborted(response, deadlineMs, started, abort) : started
}

async function untilAborted<T> (response: ServerResponse, deadlineMs: number, work: Promise<T>, onAbort: (reason: AppError) => void): Promise<T> {
  let abort: (reason: AppError) => void = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = reason => {
      onAbort(reason)
      reject(reason)
    }
  })
  const timer = setTimeout(() => {
    abort(new AppError('deadline_exceeded', `The work took longer than ${deadlineMs} ms; try again, or ask for less at once.`, { deadline_ms: deadlineMs }))
  }, deadlineMs)
  const onClose = (): void => { abort(new AppError('request_timeout', 'The caller closed the connection before the answer was ready.')) }
  response.once('close', onClose)
  try {
    return await Promise.race([work, aborted])
  } finally {
    clearTimeout(timer)
    response.off('close', onClose)
  }
}
