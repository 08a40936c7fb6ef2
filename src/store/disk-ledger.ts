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
 * What is on disk, from the least recently to the most recently used. It only remembers: files are read and removed by others.
 *
 * Some content cannot be had again. It is set aside when it comes up as the oldest, and goes only when nothing else is left.
 */
export interface DiskLedger<K extends string> {
  /** Of all files. */
  readonly bytes: number
  readonly files: number
  get(key: K): LedgerEntry | undefined
  /** A file that was written now. */
  add(key: K, bytes: number): void
  /** Notes a use. True where the file's own time is so old that it should be told. */
  use(key: K, now?: number): boolean
  /** The file turned out to be used by another process since. */
  usedElsewhere(key: K, at: number): void
  drop(key: K): void
  /** The one to go next, with what cannot be had again only where `alsoKept`. */
  oldest(alsoKept: boolean): { readonly key: K, readonly isKept: boolean } | undefined
  /** Puts what a walk that began at `startedAt` has seen in the place of what was believed before. Newer knowledge stays. */
  adopt(found: ReadonlyMap<K, FoundFile>, startedAt: number): void
}

/** A use within this time of the last one changes nothing. Requests for one kernel come by the thousand. */
const USE_GRACE_MS = 60_000
/** How old the time of a file may become before a use is written to it: what a restart may forget of the order. */
const TELL_AFTER_MS = 3_600_000

export function createDiskLedger<K extends string> (isKept: (key: K) => boolean): DiskLedger<K> {
  // Maps keep the order of insertion, so that taking out and putting back moves a key to the end.
  let order = new Map<K, LedgerEntry>()
  let aside = new Map<K, LedgerEntry>()
  let bytes = 0

  const take = (key: K): LedgerEntry | undefined => {
    const entry = order.get(key) ?? aside.get(key)
    if (entry === undefined) return undefined
    if (!order.delete(key)) aside.delete(key)
    bytes -= entry.bytes
    return entry
  }
  const put = (key: K, entry: LedgerEntry): void => {
    order.set(key, entry)
    bytes += entry.bytes
  }

  return {
    get bytes () { return bytes },
    get files () { return order.size + aside.size },
    get: key => order.get(key) ?? aside.get(key),
    add (key, size) {
      take(key)
      const now = Date.now()
      put(key, { bytes: size, usedAt: now, toldAt: now })
    },
    use (key, now = Date.now()) {
      const entry = order.get(key) ?? aside.get(key)
      if (entry === undefined || now - entry.usedAt < USE_GRACE_MS) return false
      const mustTell = now - entry.toldAt >= TELL_AFTER_MS
      take(key)
      put(key, { ...entry, usedAt: now, toldAt: mustTell ? now : entry.toldAt })
      return mustTell
    },
    usedElsewhere (key, at) {
      const entry = take(key)
      if (entry !== undefined) put(key, { ...entry, usedAt: at, toldAt: at })
    },
    drop: key => { take(key) },
    oldest (alsoKept) {
      for (const [key, entry] of order) {
        if (!isKept(key)) return { key, isKept: false }
        order.delete(key)
        aside.set(key, entry)
      }
      const [key] = aside.keys()
      return alsoKept && key !== undefined ? { key, isKept: true } : undefined
    },
    adopt (found, startedAt) {
      const entries: Array<[K, LedgerEntry]> = []
      for (const [key, { bytes: size, mtimeMs }] of found) {
        const known = order.get(key) ?? aside.get(key)
        entries.push([key, { bytes: size, usedAt: Math.max(known?.usedAt ?? 0, mtimeMs), toldAt: mtimeMs }])
      }
      for (const [key, entry] of [...order, ...aside]) {
        if (!found.has(key) && entry.toldAt >= startedAt) entries.push([key, entry]) // written while the walk went on
      }
      entries.sort(([, a], [, b]) => a.usedAt - b.usedAt)
      order = new Map(entries)
      aside = new Map()
      bytes = entries.reduce((sum, [, entry]) => sum + entry.bytes, 0)
    }
  }
}
