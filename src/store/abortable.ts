import { AppError } from '../errors.js'

/**
 * Waits for work that others may share: when the signal aborts, this caller stops waiting and the work goes on.
 *
 * @throws AppError the signal's reason where that is one, else `deadline_exceeded`
 */
export async function abortable<T> (work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work
  if (signal.aborted) {
    work.catch(() => {}) // nobody waits for it any more
    throw reasonOf(signal)
  }
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => { reject(reasonOf(signal)) }
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function reasonOf (signal: AbortSignal): AppError {
  return signal.reason instanceof AppError
    ? signal.reason
    : new AppError('deadline_exceeded', 'The caller left, or its deadline passed, before the work was done.')
}
