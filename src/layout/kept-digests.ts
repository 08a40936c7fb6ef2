import type { LayoutFormat } from './format.js'

/**
 * Digests of texts that were hashed lately. Kernels have nearly all texts in common, also those of different releases, and to find one
 * takes a quarter of the time of SHA-256.
 *
 * A text is found only where every word is the same, so that nobody can make a text that gets the digest of another: what the words are
 * summed up to only says where to look.
 *
 * Memory is bounded, and most of it is for what comes again: a text is kept when it is met for the second time. What is found in the older
 * half moves to the younger one, and once that is full, the older one is forgotten and filled anew.
 */
export interface KeptDigests {
  /** Records: VALUE_WORDS of value, the length of the text, the text. */
  readonly words: Int32Array
  /** By hash: where the record of a text is, or a hash that was met once, which is negative, or NOTHING. */
  readonly slots: Int32Array
  /** Where the half begins that is being filled, and where it ends. */
  begin: number
  limit: number
  /** Where the next record goes. */
  end: number
  /** Hash of the text that was looked for last. */
  hash: number
}

/** What is kept with a text. */
export const VALUE_WORDS = 5
/** Longest text that is kept. Of a hundred texts 97 are no longer, and these are three quarters of all words. */
export const LONGEST_KEPT = 256

const NOTHING = 0
/** Places in which a text may be, by its hash. A power of two. */
const SET_SLOTS = 4

/** In each thread that makes tables: 8 MB of records, which are some 30,000. A kernel has 9,000 to 14,000 texts. */
const WORDS = 2048 * 1024
const SLOTS = 64 * 1024

let held: { readonly hash: LayoutFormat['hash'], readonly kept: KeptDigests } | undefined

/** What is kept of a hash function, as long as no other one is asked for. */
export function keptDigestsOf (hash: LayoutFormat['hash']): KeptDigests {
  if (held?.hash !== hash) held = { hash, kept: createKeptDigests(WORDS, SLOTS) }
  return held.kept
}

/**
 * @param words of all records
 * @param slots a power of two
 */
export function createKeptDigests (words: number, slots: number): KeptDigests {
  // No record is at NOTHING.
  return { words: new Int32Array(words), slots: new Int32Array(slots), begin: 1, limit: words >>> 1, end: 1, hash: 0 }
}

/**
 * Writes what is kept with the text between two places of `text`.
 *
 * @returns false where nothing is
 */
export function findKept (kept: KeptDigests, text: Int32Array, start: number, end: number, output: Int32Array, to: number): boolean {
  if (end - start > LONGEST_KEPT) return false
  const { words, slots } = kept
  const hash = kept.hash = hashOf(text, start, end)
  const first = hash & slots.length - 1
  for (let i = 0; i < SET_SLOTS; i++) {
    const record = slots[first ^ i] ?? NOTHING
    if (record <= NOTHING || !isSameText(words, record + VALUE_WORDS, text, start, end)) continue
    for (let word = 0; word < VALUE_WORDS; word++) output[to + word] = words[record + word] ?? 0
    if (record < kept.begin || record >= kept.limit) writeRecord(kept, first ^ i, text, start, end, output, to)
    return true
  }
  return false
}

/** Keeps VALUE_WORDS with a text that was looked for last and not found, if it was met before. */
export function keep (kept: KeptDigests, text: Int32Array, start: number, end: number, value: Int32Array, from: number): void {
  if (end - start > LONGEST_KEPT) return
  const { slots, hash } = kept
  const mark = ~(hash >>> 1)
  const first = hash & slots.length - 1
  let free = first
  for (let i = SET_SLOTS - 1; i >= 0; i--) {
    const held = slots[first ^ i] ?? NOTHING
    if (held === mark) return writeRecord(kept, first ^ i, text, start, end, value, from)
    if (held === NOTHING || (held < NOTHING && (slots[free] ?? NOTHING) > NOTHING)) free = first ^ i
  }
  slots[free] = mark
}

function writeRecord (
  kept: KeptDigests, slot: number, text: Int32Array, start: number, end: number, value: Int32Array, from: number
): void {
  const length = end - start
  if (kept.end + VALUE_WORDS + 1 + length > kept.limit) beginOtherHalf(kept)
  const { words, slots, end: record } = kept
  for (let i = 0; i < VALUE_WORDS; i++) words[record + i] = value[from + i] ?? 0
  words[record + VALUE_WORDS] = length
  const first = record + VALUE_WORDS + 1
  for (let i = 0; i < length; i++) words[first + i] = text[start + i] ?? 0
  kept.end = first + length
  slots[slot] = record
}

function beginOtherHalf (kept: KeptDigests): void {
  const { words, slots } = kept
  const middle = words.length >>> 1
  kept.begin = kept.end = kept.begin < middle ? middle : 1
  kept.limit = kept.begin < middle ? middle : words.length
  for (let i = 0; i < slots.length; i++) {
    const record = slots[i] ?? NOTHING
    if (record >= kept.begin && record < kept.limit) slots[i] = NOTHING
  }
}

/** @param record where the length of the kept text is, and behind it the text */
function isSameText (words: Int32Array, record: number, text: Int32Array, start: number, end: number): boolean {
  if (words[record] !== end - start) return false
  for (let i = start, from = record + 1; i < end; i++, from++) if (words[from] !== text[i]) return false
  return true
}

/** Of every second word each, which a processor works out beside each other. */
function hashOf (text: Int32Array, start: number, end: number): number {
  let even = end - start
  let odd = 0
  let at = start
  for (; at + 1 < end; at += 2) {
    even = Math.imul(even ^ (text[at] ?? 0), EVEN_FACTOR)
    odd = Math.imul(odd ^ (text[at + 1] ?? 0), ODD_FACTOR)
  }
  if (at < end) even = Math.imul(even ^ (text[at] ?? 0), EVEN_FACTOR)
  const hash = Math.imul(even ^ odd >>> 16 ^ odd << 16, ODD_FACTOR)
  return hash ^ hash >>> 16
}

/** Odd numbers without a pattern in their bits: of 2^32 by the golden ratio, and a prime. */
const EVEN_FACTOR = 0x9e3779b1
const ODD_FACTOR = 0x85ebca77
