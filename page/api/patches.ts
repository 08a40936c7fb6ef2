import { groupBy } from '../model/group-by.js'
import { comparePatched, type Patch, type PatchSet } from '../model/patch-set.js'
import type { ChosenObject } from './objects.js'
import { relocate } from './relocation.js'
import { messageOf, whole, type Send } from './request.js'

export interface PatchSetQuestion {
  readonly object: ChosenObject & { readonly file: File, readonly sha256: string }
  readonly kernels: readonly string[]
  /** The BTF of a kernel, where its name has just one: kernels of one BTF have one result. */
  readonly btfOf: (kernel: string) => string | undefined
}

/** Requests at a time. */
const AT_ONCE = 6
/** Tags in a header, which is shorter than what servers take. */
const MAX_KNOWN = 100

/**
 * The patches of each distinct result. The service is asked once for each BTF, and sends no bytes of a result that is known.
 *
 * @param onProgress called with the number of kernels that are done
 */
export async function makePatchSet (
  send: Send,
  question: PatchSetQuestion,
  signal: AbortSignal,
  onProgress: (done: number) => void
): Promise<PatchSet> {
  const { object, kernels, btfOf } = question
  const before = new Uint8Array(await object.file.arrayBuffer())
  const results = new Map<string, { kernels: string[], patches: readonly Patch[] }>()
  const leftOut: Array<{ kernel: string, reason: string }> = []
  let done = 0
  const take = async (sharing: readonly string[]): Promise<void> => {
    const [kernel = ''] = sharing
    try {
      const known = [...results.keys()].slice(0, MAX_KNOWN)
      const response = await relocate(send, { object, kernel }, 'application/octet-stream', { signal, known })
      const etag = response.headers.get('etag') ?? ''
      const after = response.status === 304 ? undefined : new Uint8Array(await whole(response.arrayBuffer()))
      let result = results.get(etag)
      if (result === undefined) {
        if (after === undefined) throw new Error('The service knows this result by another name.')
        results.set(etag, result = { kernels: [], patches: comparePatched(before, after) })
      }
      result.kernels.push(...sharing)
    } catch (error) {
      signal.throwIfAborted()
      leftOut.push(...sharing.map(kernel => ({ kernel, reason: messageOf(error) })))
    }
    onProgress(done += sharing.length)
  }
  const waiting = [...groupBy(kernels, kernel => btfOf(kernel) ?? kernel).values()]
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await take(next)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return {
    object: { sha256: object.sha256, name: object.name, bytes: before.length },
    results: [...results].map(([etag, { kernels, patches }]) => ({ sha256: etag.replaceAll('"', ''), kernels: kernels.sort(), patches })),
    left_out: leftOut
  }
}
