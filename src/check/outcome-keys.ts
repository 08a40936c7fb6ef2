import { LRUCache } from 'lru-cache'
import type { LayoutTables } from '../kernels/layout-tables.js'
import type { Sha256 } from '../store/sha256.js'
import { verdictKey } from '../verdict/index.js'
import type { WorkerPool } from '../workers/pool.js'
import type { CheckedObject, KernelContent } from './types.js'

/** Tells which kernels have one outcome, before any is relocated. */
export interface OutcomeKeys {
  /**
   * One text for each kernel, in their order. Kernels with the same text have the same outcome for the object (state, verdicts with
   * reasons and assumptions, failing places with their sentences and suggestions), unless the first of them shows that its outcome is
   * of its BTF alone. Called with some hundred kernels at a time.
   */
  of(object: CheckedObject, kernels: readonly KernelContent[], signal: AbortSignal): readonly string[] | Promise<readonly string[]>
  /** The text of a kernel whose outcome is of its BTF alone. */
  alone(object: CheckedObject, kernel: KernelContent): string
  /** Notes that a text does not stand for one outcome, so that `of` gives kernels of it texts of their own. */
  noteAlone(object: CheckedObject, text: string): void
}

/** By content: kernels of one BTF, as far as the verdict reads the same of their releases. */
export function createContentKeys (): OutcomeKeys {
  const alone: OutcomeKeys['alone'] = (object, kernel) => contentText(kernel, readsVersion(object))
  return { alone, of: (object, kernels) => kernels.map(kernel => alone(object, kernel)), noteAlone: () => {} }
}

export interface LayoutKeysOptions {
  readonly tables: LayoutTables
  readonly pool: Pick<WorkerPool, 'run'>
  /** Vectors that are remembered, one for an object on a kernel; some 300 bytes each. */
  readonly maxVectors: number
}

/** Texts that turned out to stand for more than one outcome. */
const MAX_ALONE = 50_000

/**
 * By layout: kernels that lay out all types that the object demands alike, as far as the verdict reads the same of their releases. A
 * kernel that cannot be compared so, and one with modules, has its content's key.
 */
export function createLayoutKeys ({ tables, pool, maxVectors }: LayoutKeysOptions): OutcomeKeys {
  const contents = createContentKeys()
  const vectors = new LRUCache<string, string>({ max: maxVectors })
  const areAlone = new LRUCache<string, true>({ max: MAX_ALONE })

  /** Empty for kernels that cannot be compared. */
  const findVectors = async (object: CheckedObject, btfs: readonly Sha256[], signal: AbortSignal): Promise<ReadonlyMap<Sha256, string>> => {
    const found = new Map<Sha256, string>()
    const missing: Sha256[] = []
    for (const btf of new Set(btfs)) {
      const vector = vectors.get(object.sha256 + btf)
      if (vector === undefined) missing.push(btf)
      else found.set(btf, vector)
    }
    const read = missing.length === 0 ? [] : await tables.load(missing, signal)
    const known = missing.flatMap((sha256, i) => {
      const bytes = read[i]
      return bytes === undefined ? [] : [{ sha256, bytes }]
    })
    if (known.length === 0) return found
    const made = await pool.run({ kind: 'layoutVectors', object: object.bytes, objectSha256: object.sha256, tables: known })
    known.forEach(({ sha256 }, i) => {
      const vector = made[i] ?? ''
      vectors.set(object.sha256 + sha256, vector)
      found.set(sha256, vector)
    })
    return found
  }

  return {
    alone: contents.alone,
    noteAlone (object, text) { areAlone.set(object.sha256 + text, true) },
    async of (object, kernels, signal) {
      const found = await findVectors(object, kernels.filter(({ modules }) => modules.length === 0).map(({ btf }) => btf), signal)
      const version = readsVersion(object)
      return kernels.map(kernel => {
        const vector = kernel.modules.length === 0 ? found.get(kernel.btf) ?? '' : ''
        const text = `layout ${vector} ${verdictKey(kernel.release, { readsVersion: version })}`
        return vector === '' || areAlone.has(object.sha256 + text) ? contentText(kernel, version) : text
      })
    }
  }
}

function contentText ({ btf, modules, release }: KernelContent, version: boolean): string {
  return `${btf} ${modules.join()} ${verdictKey(release, { readsVersion: version })}`
}

/** They follow from the object alone, which is asked of for many kernels. */
const known = new WeakMap<Uint8Array, boolean>()

/** A name that the file has nowhere is not that of an extern in it. */
function readsVersion ({ bytes }: CheckedObject): boolean {
  let reads = known.get(bytes)
  if (reads === undefined) {
    reads = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('LINUX_KERNEL_VERSION')
    known.set(bytes, reads)
  }
  return reads
}
