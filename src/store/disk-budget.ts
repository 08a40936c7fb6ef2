import { stat, unlink } from 'node:fs/promises'
import type { DiskLedger } from './disk-ledger.js'
import type { Room } from './disk-state.js'

export interface DiskBudgetOptions<K extends string> {
  readonly ledger: DiskLedger<K>
  /** Of all content together. Infinity: no budget. */
  readonly maxBytes: number
  readonly pathOf: (key: K) => string
  /** Told of each file that was removed although nobody can give it again. */
  readonly onKeptEvicted: (key: K) => void
}

/** Makes room on disk: removes the least recently used files until what is to be written fits the budget and the volume. */
export interface DiskBudget {
  /** Waits until there is room for so many bytes, as far as it can be made, and keeps it until the returned function is called. */
  reserve(bytes: number, room: Room): Promise<() => void>
  /** From now on the ledger knows all that is there. Before, nothing is removed: the oldest might not be known. */
  start(): void
  readonly counts: { readonly evicted: number, readonly keptEvicted: number }
  close(): Promise<void>
}

/** What is remembered of a file takes some 200 bytes of memory; a flood of tiny objects must not turn into that. */
const MAX_FILES = 250_000
/** Times of files differ from ours by the coarseness of clocks. A use by another process is newer than that. */
const CLOCK_GRACE_MS = 1000

export function createDiskBudget<K extends string> ({ ledger, maxBytes, pathOf, onKeptEvicted }: DiskBudgetOptions<K>): DiskBudget {
  const counts = { evicted: 0, keptEvicted: 0 }
  let isStarted = false
  let reserved = 0
  let turn: Promise<void> = Promise.resolve()
  let onRelease = (): void => {}

  /** False where nothing is left that may go. */
  const evictOldest = async (alsoKept: boolean): Promise<boolean> => {
    const next = ledger.oldest(alsoKept)
    if (next === undefined) return false
    const path = pathOf(next.key)
    const facts = await stat(path).catch(() => undefined)
    const entry = ledger.get(next.key)
    if (entry === undefined || ledger.oldest(alsoKept)?.key !== next.key) return true // used or removed meanwhile
    if (facts !== undefined && facts.mtimeMs > entry.usedAt + CLOCK_GRACE_MS) {
      ledger.usedElsewhere(next.key, facts.mtimeMs)
      return true
    }
    ledger.drop(next.key)
    if (!await unlink(path).then(() => true, () => false)) return true
    counts.evicted++
    if (next.isKept) {
      counts.keptEvicted++
      onKeptEvicted(next.key)
    }
    return true
  }
  const evictWhile = async (mustGoOn: () => boolean, alsoKept: boolean): Promise<void> => {
    while (mustGoOn()) if (!await evictOldest(alsoKept)) return
  }
  const makeRoom = async (bytes: number, pressure: number): Promise<void> => {
    if (!isStarted) return
    const isTooMuch = (): boolean => ledger.bytes + reserved + bytes > maxBytes || ledger.files >= MAX_FILES
    const relieved = ledger.bytes - pressure
    await evictWhile(isTooMuch, true)
    const isWriting = (): boolean => reserved > 0
    while (isWriting() && isTooMuch()) { // what is being written can be removed once it is there
      await new Promise<void>(resolve => { onRelease = resolve })
      await evictWhile(isTooMuch, true)
    }
    if (pressure > 0) await evictWhile(() => ledger.bytes > relieved, false)
  }
  /** One at a time, so that no file is counted as removed twice. */
  const queue = (bytes: number, pressure: number): Promise<void> => {
    turn = turn.then(async () => {
      await makeRoom(bytes, pressure)
      reserved += bytes
    })
    return turn
  }

  return {
    counts,
    async reserve (bytes, { spare, comfortable }) {
      await queue(bytes, Math.max(0, bytes + comfortable - spare))
      return () => {
        reserved -= bytes
        onRelease()
      }
    },
    start () {
      isStarted = true
      queue(0, 0).catch(() => {}) // nothing in it rejects
    },
    async close () { await turn }
  }
}
