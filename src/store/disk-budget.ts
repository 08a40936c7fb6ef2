import { stat, unlink } from 'node:fs/promises'
import type { DiskLedger, Share } from './disk-ledger.js'
import type { Room } from './disk-state.js'

export interface DiskBudgetOptions<K extends string> {
  readonly ledger: DiskLedger<K>
  /** Of all content together. Infinity: no budget. */
  readonly maxBytes: number
  readonly pathOf: (key: K) => string
  /** Told of each file that was removed although nobody else can give it again. */
  readonly onKeptEvicted: (key: K, share: Share) => void
  /** Removes what is of no use without a file that was removed. */
  readonly onEvicted: (key: K) => Promise<void>
}

/**
 * Makes room on disk: removes the least recently used files until what is to be written fits the budget and the volume.
 *
 * Each share has a part of the budget that no other share can take from it, and may use what others leave free. So a flood of
 * objects or uploads displaces objects or uploads, and what an operator put there goes for nothing but what an operator puts there.
 */
export interface DiskBudget {
  /**
   * Waits until there is room for so many bytes, as far as it can be made, and keeps it until the returned function is called.
   * Undefined where there is none, since all that is there belongs to others.
   */
  reserve(bytes: number, room: Room, share: Share): Promise<(() => void) | undefined>
  /** From now on the ledger knows all that is there. Before, nothing is removed: the oldest might not be known. */
  start(): void
  readonly counts: { readonly evicted: number, readonly keptEvicted: number }
  close(): Promise<void>
}

/** Of the budget. Kernels of a source are what most of a fleet's requests need. */
const PARTS: Readonly<Record<Share, number>> = { spare: 0, object: 1 / 8, upload: 1 / 4, fetched: 1 / 2, kept: 1 }
/** What nobody else can give again. */
const ONLY_HERE: ReadonlySet<Share> = new Set(['upload', 'kept'])
/** What may go for others, easiest first. */
const YIELDING: readonly Share[] = ['spare', 'object', 'fetched', 'upload']

/** What is remembered of a file takes some 200 bytes of memory; a flood of tiny objects must not turn into that. */
const MAX_FILES = 250_000
/** Times of files differ from ours by the coarseness of clocks. A use by another process is newer than that. */
const CLOCK_GRACE_MS = 1000

export function createDiskBudget<K extends string> (
  { ledger, maxBytes, pathOf, onKeptEvicted, onEvicted }: DiskBudgetOptions<K>
): DiskBudget {
  const counts = { evicted: 0, keptEvicted: 0 }
  let isStarted = false
  let reserved = 0
  let turn: Promise<unknown> = Promise.resolve()
  let onRelease = (): void => {}

  /** The share that has to give way for one that needs room; undefined where nothing may go for it. */
  const yielding = (share: Share, bytes: number): Share | undefined => {
    if (ledger.oldest('spare') !== undefined) return 'spare'
    const isWithinPart = ledger.bytesOf(share) + bytes <= PARTS[share] * maxBytes
    const others = YIELDING.filter(other => other !== share &&
      (share === 'kept' || (isWithinPart && ledger.bytesOf(other) > PARTS[other] * maxBytes)))
    return [...others, share].find(other => ledger.oldest(other) !== undefined)
  }
  /** False where nothing is left that may go. */
  const evictOldest = async (share: Share | undefined): Promise<boolean> => {
    const key = share === undefined ? undefined : ledger.oldest(share)
    if (share === undefined || key === undefined) return false
    const path = pathOf(key)
    const facts = await stat(path).catch(() => undefined)
    const entry = ledger.get(key)
    if (entry === undefined || ledger.oldest(share) !== key) return true // used or removed meanwhile
    if (facts !== undefined && facts.mtimeMs > entry.usedAt + CLOCK_GRACE_MS) {
      ledger.usedElsewhere(key, facts.mtimeMs)
      return true
    }
    ledger.drop(key)
    if (!await unlink(path).then(() => true, () => false)) return true
    counts.evicted++
    await onEvicted(key)
    if (ONLY_HERE.has(share)) {
      counts.keptEvicted++
      onKeptEvicted(key, share)
    }
    return true
  }
  /** False where there is no room, and none can be made. */
  const makeRoom = async (bytes: number, pressure: number, share: Share): Promise<boolean> => {
    if (!isStarted) return true
    const isTooMuch = (): boolean => ledger.bytes + reserved + bytes > maxBytes || ledger.files >= MAX_FILES
    const relieved = ledger.bytes - pressure
    for (;;) {
      while (isTooMuch() && await evictOldest(yielding(share, bytes)));
      if (!isTooMuch() || reserved === 0) break
      await new Promise<void>(resolve => { onRelease = resolve }) // what is being written can be removed once it is there
    }
    const canBeHadAgain: readonly Share[] = ['spare', 'object', 'fetched']
    const isPressed = (): boolean => pressure > 0 && ledger.bytes > relieved
    while (isPressed() && await evictOldest(canBeHadAgain.find(other => ledger.oldest(other) !== undefined)));
    return !isTooMuch()
  }
  /** One at a time, so that no file is counted as removed twice. */
  const queue = (bytes: number, pressure: number, share: Share): Promise<boolean> => {
    const isThere = turn.then(async () => {
      const hasRoom = await makeRoom(bytes, pressure, share)
      if (hasRoom) reserved += bytes
      return hasRoom
    })
    turn = isThere
    return isThere
  }

  return {
    counts,
    async reserve (bytes, { spare, comfortable }, share) {
      if (!await queue(bytes, Math.max(0, bytes + comfortable - spare), share)) return undefined
      return () => {
        reserved -= bytes
        onRelease()
      }
    },
    start () {
      isStarted = true
      queue(0, 0, 'kept').catch(() => {}) // nothing in it rejects
    },
    async close () { await turn }
  }
}
