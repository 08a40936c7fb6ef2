import { AppError } from '../errors.js'
import { BodyRefused, type HttpClient } from '../fetch/http-client.js'
import { shownUrl } from '../fetch/shown-url.js'
import type { Refusal } from '../fetch/refusal.js'
import type { PackageFile } from './published.js'
import { receive } from './receive.js'
import { malformed, refused } from './refresh-apt.js'
import type { KernelTask, ModulesTask, PackageTaskValues } from './worker/protocol.js'

/** A package of 200 MB over 1 Mbit/s takes half an hour, in milliseconds; slower ones are cut off by the limit on stalls. */
export const DOWNLOAD_MS = 45 * 60_000

export interface DownloadOptions<T> {
  readonly client: HttpClient
  readonly url: URL
  readonly file: PackageFile
  readonly task: T
  readonly signal: AbortSignal
  readonly onBytes: (bytes: number) => void
}

export type Downloaded<T extends KernelTask | ModulesTask> =
  { readonly state: 'ok', readonly value: PackageTaskValues[T['kind']] } | Refusal

/**
 * Streams a package through a worker. What is found in it counts only if it came whole, with the size and the hash of the index. Never
 * rejects for what the origin did.
 */
export async function downloadPackage<T extends KernelTask | ModulesTask> (
  { client, url, file, task, signal, onBytes }: DownloadOptions<T>
): Promise<Downloaded<T>> {
  let value: PackageTaskValues[T['kind']] | undefined
  const answer = await client.get({
    url,
    maxBytes: file.bytes,
    signal,
    totalMs: DOWNLOAD_MS,
    async receive (pieces) {
      let bytes = 0
      try {
        value = await receive(task, pieces, taken => {
          bytes += taken
          onBytes(bytes)
        })
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        throw new BodyRefused(error.code === 'btf_unknown'
          ? { state: 'absent', answer: error.message.replace(/\.$/, '') }
          : malformed(`${shownUrl(url)} cannot be used`, error))
      }
    }
  })
  if (answer.state === 'ok') return value === undefined ? refused('failed', `${shownUrl(url)} gave nothing`) : { state: 'ok', value }
  if (answer.state === 'unchanged') {
    return refused('failed', `${shownUrl(url)} answered 304 (not modified) to a request that had no condition`)
  }
  return answer.state === 'absent' ? refused('failed', `${answer.answer}, although the index lists it; the mirror is out of date`) : answer
}
