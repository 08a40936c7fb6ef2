import { LRUCache } from 'lru-cache'
import type { HeldQuestion } from '../relocation/types.js'
import type { Scope } from './access/identity.js'
import type { CacheControl } from './headers.js'

/** What an address of a result means, read and checked. */
export interface HeldAddress {
  /** The pattern of its route, and the scope that it needs. */
  readonly route: string
  readonly access: Scope
  readonly question: HeldQuestion
  readonly cacheControl: CacheControl
}

/** Addresses that were answered from a held result, the last ones asked for. What they mean never changes. */
export interface HeldAddresses {
  find (url: string): HeldAddress | undefined
  note (url: string, address: HeldAddress): void
}

const MAX_ADDRESSES = 4096
/** With eight modules spelled out, in UTF-16 units. Longer ones are read each time. */
const MAX_LENGTH = 1024

export function createHeldAddresses (): HeldAddresses {
  const addresses = new LRUCache<string, HeldAddress>({ max: MAX_ADDRESSES })
  return {
    find: url => addresses.get(url),
    note (url, address) { if (url.length <= MAX_LENGTH) addresses.set(url, address) }
  }
}
