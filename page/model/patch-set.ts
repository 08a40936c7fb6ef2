import { hexOf } from './format.js'

/** Bytes of an object that a result has otherwise. */
export interface Patch {
  /** From the start of the file, in bytes. */
  readonly position: number
  /** In bytes. */
  readonly length: number
  /** The new bytes, in hex. */
  readonly bytes: string
}

/** One result: what it changes, and for which kernels. */
export interface PatchedResult {
  /** Of the whole patched object. */
  readonly sha256: string
  readonly kernels: readonly string[]
  readonly patches: readonly Patch[]
}

/** What to change in an object for each of a list of kernels. */
export interface PatchSet {
  readonly object: { readonly sha256: string, readonly name: string, readonly bytes: number }
  readonly results: readonly PatchedResult[]
  /** Kernels for which there is no result, and why. */
  readonly left_out: ReadonlyArray<{ readonly kernel: string, readonly reason: string }>
}

/** Equal bytes between two changes that are not worth a patch of their own. */
const JOINED = 3

/** What to write into `before` to have `after`, which has the same length. */
export function comparePatched (before: Uint8Array, after: Uint8Array): readonly Patch[] {
  if (before.length !== after.length) throw new RangeError(`a patched object has ${after.length} bytes, not ${before.length}`)
  const patches: Patch[] = []
  for (let at = 0; at < before.length; at++) {
    if (before[at] === after[at]) continue
    let end = at + 1
    for (let next = end; next < before.length && next - end <= JOINED; next++) if (before[next] !== after[next]) end = next + 1
    patches.push({ position: at, length: end - at, bytes: hexOf(after.subarray(at, end)) })
    at = end
  }
  return patches
}
