import type { Report } from '../../src/wire/report.js'
import { appendObject, type ChosenObject } from './objects.js'
import { readJson, Refusal, type Send } from './request.js'

/** An object for one kernel, by the kernel's whole reference. */
export interface Pair {
  readonly object: ChosenObject
  readonly kernel: string
}

export async function getReport (send: Send, pair: Pair, signal: AbortSignal): Promise<Report> {
  return await readJson(await relocate(send, pair, 'application/json', { signal }))
}

/** The patched object. */
export async function getRelocated (send: Send, pair: Pair): Promise<Blob> {
  return await (await relocate(send, pair, 'application/octet-stream', {})).blob()
}

/** The smallest BTF with which the object relocates as on the kernel. */
export async function getMinBtf (send: Send, pair: Pair): Promise<Blob> {
  const response = await withObject(pair.object, async isHeld => {
    const form = new FormData()
    appendObject(form, pair.object, isHeld)
    form.append('kernel_release', pair.kernel)
    return await send('min-btf', { method: 'POST', body: form })
  })
  return await response.blob()
}

/**
 * @param known entity tags of results that the caller has
 * @returns the answer; 304 with the tag of the one that it is, where that is known
 */
export async function relocate (
  send: Send,
  { object, kernel }: Pair,
  accept: string,
  { signal, known = [] }: { readonly signal?: AbortSignal, readonly known?: readonly string[] }
): Promise<Response> {
  return await withObject(object, async isHeld => {
    const form = new FormData()
    appendObject(form, object, isHeld)
    form.append('kernel_release', kernel)
    const headers = { accept, ...(known.length === 0 ? {} : { 'if-none-match': known.join(', ') }) }
    return await send('relocate', { method: 'POST', body: form, headers, ...(signal === undefined ? {} : { signal }) })
  })
}

/** By hash, and with the bytes where the service does not hold them any more. */
async function withObject (object: ChosenObject, ask: (isHeld: boolean) => Promise<Response>): Promise<Response> {
  try {
    return await ask(true)
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'object_unknown' || object.file === undefined) throw error
    return await ask(false)
  }
}
