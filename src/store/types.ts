import type { Share } from './disk-ledger.js'
import type { DiskState } from './disk-state.js'
import type { Unread } from './read-failure.js'
import type { Sha256 } from './sha256.js'
import type { ContentKind, DerivedKind, StoredKind } from './stored-kinds.js'

export interface ContentStoreOptions {
  readonly directory: string
  /** Budget in bytes, of BTF and objects together. Undefined: none, for a command that adds to the cache of a service. */
  readonly maxBytes?: number
  /**
   * Whose BTF is by the names that stand for it now. Asked when it comes up for removal; undefined where that cannot be told yet.
   * Without it, no BTF has a name.
   */
  readonly shareOf?: (hash: Sha256) => Share | undefined
  /** Told of uploads that made room for others. */
  readonly onUploadEvicted?: (hash: Sha256) => void
  /** Whether the disk takes writes, where others want to know as well. */
  readonly disk?: DiskState
  /** Told of what was passed over: a write that failed, a file that was damaged. Never of a secret or of content. */
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /** How old a temporary file must be to count as left over by a killed process. */
  readonly orphanAgeMs?: number
  /** Between two looks at what other processes did to the folder. */
  readonly sweepIntervalMs?: number
}

/**
 * Immutable content by SHA-256 on disk: `content/<kind>/<first two hex digits>/<hex>`.
 *
 * A file is complete or absent, whenever the process is killed, and no byte is used that was not hashed after reading. Content
 * that cannot be written is not held. Content that is there and cannot be read is neither absent nor removed.
 *
 * Within the budget, the least recently used of its own share goes first (see DiskBudget): an object goes for objects, an upload
 * for uploads.
 * The order outlives the process in the files' own times, an hour coarse. Nothing is removed before a first walk over the cache
 * is done, which nobody waits for. Several processes may share the folder: each looks again from time to time, and before it
 * removes a file, whether another one has used it. A process removes nothing that it knows another to have just used, and
 * together they stay within the largest of their budgets, but for what was written since they last looked.
 *
 * As the volume itself fills up the store gives way: it removes what can be had again to make room for what is new. Where
 * others have used up even the reserve that it leaves free, it stops storing (see DiskState).
 */
export interface ContentStore {
  /** Where content is or would be, for a worker that reads or writes it. */
  pathOf(kind: StoredKind, hash: Sha256): string
  /**
   * Reads and verifies. Undefined where there is no such content, or none that is intact.
   *
   * @throws AppError `storage_unreadable` where it is there and cannot be read
   */
  read(kind: ContentKind, hash: Sha256): Promise<Uint8Array | undefined>
  /**
   * Size of the file in bytes, unverified.
   *
   * @throws AppError `storage_unreadable`
   */
  sizeOf(kind: ContentKind, hash: Sha256): Promise<number | undefined>
  /** Notes that content was used, wherever it was read from. Cheap enough for every request. */
  noteUse(kind: StoredKind, hash: Sha256): void
  /**
   * Writes; content is flushed to the disk. False where the disk did not take it. The hash must be that of the bytes; of what is made of
   * content, that of the content. BTF is an operator's unless said otherwise.
   */
  write(kind: StoredKind, hash: Sha256, bytes: Uint8Array, share?: Share): Promise<boolean>
  /** Reads what was made of content, as it is: whoever asks looks whether it was made here. What cannot be read is counted. */
  readDerived(kind: DerivedKind, hash: Sha256): Promise<Uint8Array | Exclude<Unread, { readonly state: 'damaged' }>>
  /** Counts a file that a reader could not read, and warns. Nothing is removed. */
  noteUnreadable(kind: StoredKind, hash: Sha256, code: string): void
  /** Removes a file that a reader found damaged. */
  discardDamaged(kind: StoredKind, hash: Sha256): Promise<void>
  /** Writes in the background what is not there yet, and only as fast as is good for the disk: see write-behind.ts. May be lost. */
  writeBehind(kind: ContentKind, hash: Sha256, bytes: Uint8Array): void
  /**
   * The same of what is made of content, in the place of what is there. False where it will not be written.
   *
   * @param bytes about how many there are
   * @param make gives them when their turn comes; undefined where nothing is to be written. Must not throw
   */
  rewriteBehind(kind: DerivedKind, hash: Sha256, bytes: number, make: MakeBytes): boolean
  /**
   * `listener` is told, after each look at the folder, of BTF beside which there is no layout table: another process put it there. The
   * last look before it came counts too. Not while the budget is nearly used up, since what is made then would go at once.
   */
  onWithoutLayout(listener: (hash: Sha256) => void): void
  stats(): ContentStoreStats
  /** Ends the sweep that runs since opening, and writes what is queued. */
  close(): Promise<void>
}

export type MakeBytes = () => Uint8Array | undefined | Promise<Uint8Array | undefined>

export interface ContentStoreStats {
  /** Bytes of content on disk: what the sweep has counted, and what was written since. */
  readonly diskBytes: number
  readonly files: number
  readonly written: number
  readonly writeFailures: number
  /** Writes that were not tried, because the disk is known to take none or content is larger than the budget. */
  readonly writesSkipped: number
  /** Writes that the queue had no room for. */
  readonly writesDropped: number
  readonly evicted: number
  /** Of those, what nobody else can give again. */
  readonly keptEvicted: number
  readonly damaged: number
  /** Reads of files that are there and could not be read. */
  readonly unreadable: number
  readonly orphansRemoved: number
}
