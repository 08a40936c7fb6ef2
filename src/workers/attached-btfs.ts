import { attachBtf } from '../btf/parse.js'
import type { Btf } from '../btf/btf.js'
import type { SharedBtf } from '../store/btf-memory.js'

/** BTFs that a worker keeps put together. Each is a few views over shared memory; what they keep alive is what counts. */
const MAX_ATTACHED = 16

const attached = new Map<string, Btf>()

/** The Btf behind shared parts, for this thread. Copies nothing. `base` must be given for a module. */
export function attachShared (shared: SharedBtf, base?: Btf): Btf {
  const known = attached.get(shared.key)
  if (known !== undefined && known.base === base) return known
  const btf = attachBtf(shared.parts, base)
  attached.delete(shared.key)
  attached.set(shared.key, btf)
  const [oldest] = attached.keys()
  if (attached.size > MAX_ATTACHED && oldest !== undefined) attached.delete(oldest)
  return btf
}

/** Lets go of all of them. They are put together again when a task brings their parts. */
export function detachAll (): void { attached.clear() }
