import { LRUCache } from 'lru-cache'
import { atMost } from '../at-most.js'
import type { ContentKind } from '../stored-kinds.js'
import { hexOf, type Sha256 } from '../sha256.js'
import { createSingleFlight } from '../single-flight.js'
import type { SharedBucket } from './shared-bucket.js'

/** Whether content is in the bucket: it is; nobody here can give it any more; or it could not be put there, and may be later. */
export type Placed = 'there' | 'lost' | 'not yet'

export type LoadContent = () => Promise<Uint8Array | undefined>

/**
 * Content by hash that replicas share: asked after the disk and before the sources, and written to behind. It is verified against
 * its hash when it is read.
 *
 *     <prefix>/btf/<first two hex digits>/<hex>
 *     <prefix>/object/<first two hex digits>/<hex>
 */
export interface SharedContent {
  /** In shared memory. Undefined where there is none, none that is intact, or no telling. */
  read(kind: ContentKind, hash: Sha256): Promise<Uint8Array<SharedArrayBuffer> | undefined>
  sizeOf(kind: ContentKind, hash: Sha256): Promise<number | undefined>
  /** Writes content behind, unless it is there. `load` is called when its turn comes. */
  offer(kind: ContentKind, hash: Sha256, load: LoadContent): Promise<Placed>
}

export interface SharedContentOptions {
  readonly bucket: SharedBucket
  /** Most bytes of one content. */
  readonly maxBytes: number
  readonly onWarning: (message: string, facts: Record<string, unknown>) => void
}

/** Names of content that is known to be there. Some 150 bytes each. */
const MAX_CONFIRMED = 100_000

export function createSharedContent ({ bucket, maxBytes, onWarning: warn }: SharedContentOptions): SharedContent {
  const reads = createSingleFlight<Uint8Array<SharedArrayBuffer> | undefined>()
  const offers = createSingleFlight<Placed>()
  const confirmed = new LRUCache<string, true>(atMost(MAX_CONFIRMED))

  const readContent = async (kind: ContentKind, hash: Sha256): Promise<Uint8Array<SharedArrayBuffer> | undefined> => {
    const key = contentKey(kind, hash)
    const answer = await bucket.get(key, maxBytes)
    if (answer?.state !== 'done') return undefined
    if (answer.value.sha256 === hexOf(hash)) return answer.value.bytes
    confirmed.delete(key)
    bucket.damaged()
    warn('Content in the shared store does not have the hash it is stored under; it counts as absent.', { kind, hash })
    return undefined
  }
  const place = async (key: string, hash: Sha256, load: LoadContent): Promise<Placed> => {
    if (confirmed.has(key)) return 'there'
    let isLost = false
    const isThere = await bucket.behind(async () => {
      const there = await bucket.head(key)
      if (there?.state === 'done') return true
      if (there?.state !== 'absent') return false
      const bytes = await load()
      isLost = bytes === undefined
      return bytes === undefined || await bucket.put(key, bytes, hash)
    })
    if (isLost) return 'lost'
    if (isThere) confirmed.set(key, true)
    return isThere ? 'there' : 'not yet'
  }

  return {
    read: (kind, hash) => reads.run(`${kind} ${hash}`, () => readContent(kind, hash)),
    async sizeOf (kind, hash) {
      const answer = await bucket.head(contentKey(kind, hash))
      return answer?.state === 'done' ? answer.value : undefined
    },
    offer (kind, hash, load) {
      const key = contentKey(kind, hash)
      return offers.run(key, () => place(key, hash, load))
    }
  }
}

function contentKey (kind: ContentKind, hash: Sha256): string {
  const hex = hexOf(hash)
  return `${kind}/${hex.slice(0, 2)}/${hex}`
}
