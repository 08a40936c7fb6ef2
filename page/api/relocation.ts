import type { Report } from '../../src/wire/report.js'
import { appendObject, withObjects, type ChosenObject } from './objects.js'
import { readJson, whole, type Send } from './request.js'

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
  return await whole((await relocate(send, pair, 'application/octet-stream', {})).blob())
}

/** The smallest BTF with which the object relocates as on the kernel. */
export async function getMinBtf (send: Send, pair: Pair): Promise<Blob> {
  return await whole((await post(send, 'min-btf', pair, {})).blob())
}

/**
 * @param known entity tags of results that the caller has
 * @returns the answer; 304 with the tag of the one that it is, where that is known
 */
export async function relocate (
  send: Send,
  pair: Pair,
  accept: string,
  { signal, known = [] }: { readonly signal?: AbortSignal, readonly known?: readonly string[] }
): Promise<Response> {
  const headers = { accept, ...(known.length === 0 ? {} : { 'if-none-match': known.join(', ') }) }
  return await post(send, 'relocate', pair, { headers, ...(signal === undefined ? {} : { signal }) })
}

async function post (send: Send, path: string, { object, kernel }: Pair, init: RequestInit): Promise<Response> {
  return await withObjects([object], async isHeld => {
    const form = new FormData()
    appendObject(form, object, isHeld)
    form.append('kernel_release', kernel)
    return await send(path, { method: 'POST', body: form, ...init })
  })
}
