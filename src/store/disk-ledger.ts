/** What is known of one file of content. */
export interface LedgerEntry {
  readonly bytes: number
  /** Milliseconds since 1970, of the last use that is known here. */
  readonly usedAt: number
  /** Up to when the file's own time (mtime) tells of uses. Other processes see nothing newer. */
  readonly toldAt: number
}

/** A file that a walk over the cache has seen. */
export interface FoundFile {
  readonly bytes: number
  readonly mtimeMs: number
}

/**
 * Whose content is. `kept`: an operator's, or that of a kernel that ran here. `upload`: handed in by a node. `fetched`: given by a
 * source, which can give it again. `object`: sent with a request. `spare`: BTF that no name stands for any more.
 */
export type Share = 'spare' | 'object' | 'fetched' | 'upload' | 'kept'

const SHARES: readonly Share[] = ['spare', 'object', 'fetched', 'upload', 'kept']

/**
 * What is on disk, of each share from the least recently to the most recently used. It only remembers: files are read and
 * removed by others.
 */
export interface DiskLedger<K extends string> {
  /** Of all files. */
  readonly bytes: number
  readonly files: number
  /** Of a share, as far as is known: content may have got a name since it was last looked at. */
  bytesOf(share: Share): number
  get(key: K): LedgerEntry | undefined
  /** A file that was written now, by someone of that share. */
  add(key: K, bytes: number, share: Share): void
  /** Notes a use. True where the file's own time is so old that it should be told. */
  use(key: K, now?: number): boolean
  /** The file turned out to be used by another process since. */
  usedElsewhere(key: K, at: number): void
  drop(key: K): void
  /** The one of a share to go next. */
  oldest(share: Share): K | undefined
  /** Puts what a walk that began at `startedAt` has seen in the place of what was believed before. Newer knowledge stays. */
  adopt(found: ReadonlyMap<K, FoundFile>, startedAt: number): void
}

/** A use within this time of the last one changes nothing. Requests for one kernel come by the thousand. */
const USE_GRACE_MS = 60_000
/** How old the time of a file may become before a use is written to it: what a restart may forget of the order. */
const TELL_AFTER_MS = 3_600_000
/** Content is written before its name is. */
const NAMED_WITHIN_MS = 60_000

/** @param shareOf tells the share that content has now; undefined where that cannot be told yet, and nothing of it may go */
export function createDiskLedger<K extends string> (shareOf: (key: K) => Share | undefined): DiskLedger<K> {
  // Maps keep the order of insertion, so that taking out and putting back moves a key to the end.
  const orders = new Map<Share, Map<K, LedgerEntry>>(SHARES.map(share => [share, new Map()]))
  const held = new Map<K, Share>()
  const sums = new Map<Share, number>()

  const orderOf = (share: Share): Map<K, LedgerEntry> => {
    const order = orders.get(share) ?? new Map<K, LedgerEntry>()
    orders.set(share, order)
    return order
  }
  const count = (share: Share, bytes: number): void => { sums.set(share, (sums.get(share) ?? 0) + bytes) }
  const get = (key: K): LedgerEntry | undefined => {
    const share = held.get(key)
    return share === undefined ? undefined : orderOf(share).get(key)
  }
  const take = (key: K): { entry: LedgerEntry, share: Share } | undefined => {
    const share = held.get(key)
    const entry = share === undefined ? undefined : orderOf(share).get(key)
    if (share === undefined || entry === undefined) return undefined
    orderOf(share).delete(key)
    held.delete(key)
    count(share, -entry.bytes)
    return { entry, share }
  }
  const put = (key: K, entry: LedgerEntry, share: Share): void => {
    orderOf(share).set(key, entry)
    held.set(key, share)
    count(share, entry.bytes)
  }

  return {
    get bytes () { return [...sums.values()].reduce((sum, bytes) => sum + bytes, 0) },
    get files () { return held.size },
    bytesOf: share => sums.get(share) ?? 0,
    get,
    add (key, bytes, share) {
      take(key)
      const now = Date.now()
      put(key, { bytes, usedAt: now, toldAt: now }, share)
    },
    use (key, now = Date.now()) {
      const entry = get(key)
      if (entry === undefined || now - entry.usedAt < USE_GRACE_MS) return false
      const mustTell = now - entry.toldAt >= TELL_AFTER_MS
      const share = take(key)?.share ?? 'spare'
      put(key, { ...entry, usedAt: now, toldAt: mustTell ? now : entry.toldAt }, share)
      return mustTell
    },
    usedElsewhere (key, at) {
      const taken = take(key)
      if (taken !== undefined) put(key, { ...taken.entry, usedAt: at, toldAt: at }, taken.share)
    },
    drop: key => { take(key) },
    oldest (share) {
      for (const [key, entry] of orderOf(share)) {
        const current = shareOf(key)
        if (current === undefined) return undefined
        if (current === share || (current === 'spare' && Date.now() - entry.usedAt < NAMED_WITHIN_MS)) return key
        take(key)
        put(key, entry, current)
      }
      return undefined
    },
    adopt (found, startedAt) {
      const entries: Array<[K, LedgerEntry, Share]> = []
      for (const [key, { bytes, mtimeMs }] of found) {
        const known = get(key)
        entries.push([
          key,
          { bytes, usedAt: Math.max(known?.usedAt ?? 0, mtimeMs), toldAt: mtimeMs },
          shareOf(key) ?? held.get(key) ?? 'spare'
        ])
      }
      for (const [key, share] of held) {
        const entry = get(key)
        // written while the walk went on
        if (!found.has(key) && entry !== undefined && entry.toldAt >= startedAt) entries.push([key, entry, share])
      }
      entries.sort(([, a], [, b]) => a.usedAt - b.usedAt)
      held.clear()
      sums.clear()
      for (const order of orders.values()) order.clear()
      for (const [key, entry, share] of entries) put(key, entry, share)
    }
  }
}
