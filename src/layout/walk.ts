import type { Btf } from '../btf/btf.js'
import { dataView } from '../bytes/checked.js'
import { FNV_OFFSET_BASIS, FNV_PRIME } from '../bytes/hash.js'
import { mostHashed } from '../btf/hashed-bytes.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { createFollower, type Followed } from './followed.js'
import { DIGEST_SIZE, type LayoutFormat } from './format.js'
import { findKept, keep, keptDigestsOf, type KeptDigests } from './kept-digests.js'
import { nameInBase, partsOfBtf, type Part } from './records.js'

/**
 * What a walk needs of memory, which the next one uses again. All of it is words: names, which are half of what is written, take a quarter
 * of the steps that bytes would.
 */
interface Scratch {
  /** What is inside a type is written and hashed before the rest of it, behind what was written of that. */
  text: Int32Array
  /** HELD_WORDS each: the digest, and the hash of the type's name. */
  digests: Int32Array
  /** Texts that are written again and again, each after a word with its length. */
  references: Int32Array
  /**
   * How a type is written where something refers to it: by id, and past all ids for one behind a pointer. Positive: where its digest is.
   * Below NONE: where its text in `references` is, with a minus. NONE: it is being walked, or could not be. 0: not known yet.
   */
  readonly known: Int32Array
}

/**
 * A walk over the types of a BTF. One object that functions are given, and no closures: these would be others for each BTF, for which
 * V8 compiles and forgets what uses them again and again.
 */
export interface Walk extends Scratch {
  readonly btf: Btf
  readonly endId: number
  readonly hash: LayoutFormat['hash']
  /** What other walks have hashed. */
  readonly keptDigests: KeptDigests
  /** Whether a composite whose name begins with this byte may have paths that are followed. */
  readonly followedInitials: Uint8Array
  readonly follow: (composite: number) => Followed
  readonly own: Part
  readonly bases: readonly Part[]
  readonly strings: DataView
  /** Where the last four bytes of `strings` begin. */
  readonly lastString: number
  /** Where the string at offset 0 would be in `strings`. */
  readonly firstName: number
  readonly firstOwnName: number
  /** Words that may be written. */
  readonly most: number
  /** Of the record that `locate` found last. */
  words: Int32Array
  /** The bytes of `text`. */
  bytes: Uint8Array
  /** Where the next word of the text goes. */
  at: number
  /** Words that were written, and taken away again once they were hashed; and what took as long. */
  written: number
  digestsEnd: number
  referencesEnd: number
  depth: number
}

/** In the place of a digest. */
export const NONE = -1

export const DIGEST_WORDS = DIGEST_SIZE / 4
const HELD_WORDS = 8
/** Before a digest. Not the first word of any type's text: these begin with a kind. */
export const DIGEST_MARK = 0xff
/** Longest text that is kept to be written again. */
const KEPT_WORDS = 128

/**
 * What `reserve` makes room for: a name, and what is written between that and the next one or the next call. That is numbers, a chain of 64
 * arrays, and a digest or a text that is written again.
 */
export const ROOM = LIMITS.nameBytes / 4 + 1 + 512

export function beginWalk (btf: Btf, format: LayoutFormat): Walk {
  if (isFirst) {
    isFirst = false
    endWalk(makeWalk(btf, format))
  }
  return makeWalk(btf, format)
}

/**
 * Of the first object that a literal makes V8 notes the classes of its members, with the second it forgets them, and throws away what it
 * compiled meanwhile: all that a whole table needs. So the second walk is made before anything is compiled.
 */
let isFirst = true

function makeWalk (btf: Btf, { hash, followed }: LayoutFormat): Walk {
  const { own, bases } = partsOfBtf(btf)
  const { text, digests, references, known } = takeScratch(btf.endId)
  const { initials, follow } = createFollower(btf, followed)
  return { // member by member, since objects that are spread into others have maps of their own
    text,
    digests,
    references,
    known,
    btf,
    endId: btf.endId,
    hash,
    keptDigests: keptDigestsOf(hash),
    followedInitials: initials,
    follow,
    own,
    bases,
    strings: btf.view,
    lastString: btf.bytes.length - 4,
    firstName: btf.strStart - btf.startStrOff,
    firstOwnName: btf.startStrOff,
    most: mostHashed(bytesWithBases(btf)) / 4,
    words: own.words,
    bytes: bytesOf(text),
    at: 0,
    written: 0,
    digestsEnd: HELD_WORDS, // so that no digest is at 0
    referencesEnd: 1, // nor a text at 0 or 1
    depth: 0
  }
}

/** Types of the bases are walked where own ones embed them. */
function bytesWithBases (btf: Btf): number { return btf.bytes.length + (btf.base === undefined ? 0 : bytesWithBases(btf.base)) }

/** Whether more was written than real BTF needs. */
export function isPastLimit (walk: Walk): boolean { return walk.written + walk.at > walk.most }

/** Index of a record's first word in `walk.words`. The id must be valid, and not void. */
export function locate (walk: Walk, id: number): number {
  const { own } = walk
  let part = own
  if (id < own.startId) part = walk.bases.find(base => id >= base.startId) ?? own
  walk.words = part.words
  return ((part.offsets[id - part.startId] ?? 0) - part.start) >>> 2
}

/** Makes room for ROOM words. */
export function reserve (walk: Walk): void {
  if (walk.at + ROOM <= walk.text.length) return
  walk.text = enlarge(walk.text, walk.at)
  walk.bytes = bytesOf(walk.text)
}

export function writeWord (walk: Walk, value: number): void { walk.text[walk.at++] = value }

/**
 * Writes the name at a string offset.
 *
 * @throws AppError `btf_invalid`: it is longer than any that is read, or past the strings
 */
export function writeName (walk: Walk, offset: number): void {
  reserve(walk)
  const { text, at } = walk
  if (offset >= walk.firstOwnName) {
    walk.at = packName(text, at, walk.strings, walk.lastString, walk.firstName + offset)
  } else {
    const place = nameInBase(walk.btf, offset >>> 0)
    walk.at = packName(text, at, dataView(place.bytes), place.bytes.length - 4, place.offset)
  }
}

/**
 * Writes a name, four bytes to a word, the first of them lowest. The last word has the NUL, and zeros behind it.
 *
 * Most of what is written is names: four bytes are read at once, from wherever they are.
 *
 * @param last where the last four bytes of the strings begin
 * @returns where the word behind it goes
 * @throws AppError `btf_invalid`: it is longer than any that is read
 */
export function packName (text: Int32Array, start: number, strings: DataView, last: number, offset: number): number {
  const stop = Math.min(last, offset + LIMITS.nameBytes)
  let to = start
  for (let from = offset; ; from += 4) {
    const word = from <= stop ? strings.getInt32(from, true) : lastWord(strings, from, offset)
    const zeros = (word - 0x01010101) & ~word & 0x80808080 // the lowest bit is that of the first byte that is zero
    if (zeros !== 0) {
      text[to++] = word & ((zeros & -zeros) >>> 7) - 1
      break
    }
    text[to++] = word
  }
  if (to - start > LIMITS.nameBytes / 4) requireLength(strings, offset)
  return to
}

/** Of which there are fewer than four bytes. @throws AppError `btf_invalid`: the name that begins at `offset` has no end before it */
function lastWord (strings: DataView, from: number, offset: number): number {
  if (from - offset > LIMITS.nameBytes) throw overlong()
  let word = 0
  for (let i = 0; from + i < strings.byteLength; i++) word |= strings.getUint8(from + i) << 8 * i
  return word
}

function requireLength (strings: DataView, offset: number): void {
  const length = Math.min(LIMITS.nameBytes + 1, strings.byteLength - offset)
  if (!new Uint8Array(strings.buffer, strings.byteOffset + offset, length).includes(0)) throw overlong()
}

function overlong (): AppError {
  return new AppError('btf_invalid', `A name has more than ${LIMITS.nameBytes} bytes.`, { limit: LIMITS.nameBytes })
}

/** Writes what is known of a type. False where it cannot be walked. */
export function writeKnown (walk: Walk, known: number): boolean {
  const { text, at } = walk
  if (known > 0) {
    const { digests } = walk
    text[at] = DIGEST_MARK
    for (let i = 0; i < DIGEST_WORDS; i++) text[at + 1 + i] = digests[known + i] ?? 0
    walk.at = at + 1 + DIGEST_WORDS
    return true
  }
  if (known === NONE) return false
  const { references } = walk
  const length = references[-known - 1] ?? 0
  for (let i = 0; i < length; i++) text[at + i] = references[i - known] ?? 0
  walk.at = at + length
  return true
}

/** Keeps what was written of a type from `start` on, unless it is too much to be kept. */
export function keepText (walk: Walk, key: number, start: number): void {
  const length = walk.at - start
  if (length > KEPT_WORDS) return
  const first = walk.referencesEnd + 1
  if (first + length > walk.references.length) walk.references = enlarge(walk.references, walk.referencesEnd)
  const { text, references } = walk
  references[first - 1] = length
  for (let i = 0; i < length; i++) references[first + i] = text[start + i] ?? 0
  walk.known[key] = -first
  walk.referencesEnd = first + length
}

/** Takes away what was written from `start` on. */
export function rewind (walk: Walk, start: number): void {
  walk.written += walk.at - start
  walk.at = start
}

/** Hashes what was written from `start` on, unless that was done lately. @returns where the digest is */
export function keepDigest (walk: Walk, start: number, hasName: boolean): number {
  const place = walk.digestsEnd
  if (place === walk.digests.length) walk.digests = enlarge(walk.digests, place)
  const { digests, text, at, keptDigests } = walk
  walk.digestsEnd = place + HELD_WORDS
  if (findKept(keptDigests, text, start, at, digests, place)) return place
  const hash = walk.hash(walk.bytes.subarray(4 * start, 4 * at))
  for (let i = 0; i < DIGEST_WORDS; i++) {
    digests[place + i] = hash.charCodeAt(4 * i) | hash.charCodeAt(4 * i + 1) << 8 |
      hash.charCodeAt(4 * i + 2) << 16 | hash.charCodeAt(4 * i + 3) << 24
  }
  digests[place + DIGEST_WORDS] = hasName ? hashOfPacked(text, start + 1) : UNKNOWN_HASH
  keep(keptDigests, text, start, at, digests, place)
  return place
}

/** Writes the DIGEST_SIZE bytes of a digest. */
export function copyDigest ({ digests }: Walk, digest: number, output: DataView, offset: number): void {
  for (let i = 0; i < DIGEST_WORDS; i++) output.setInt32(offset + 4 * i, digests[digest + i] ?? 0, true)
}

/**
 * fnv1a of a name that packName wrote. UNKNOWN_HASH for one with three underscores in a row, which may be longer than its essential name.
 */
function hashOfPacked (text: Int32Array, start: number): number {
  let hash = FNV_OFFSET_BASIS
  let lastThree = 0
  for (let from = start; ; from++) {
    const word = text[from] ?? 0
    for (let shift = 0; shift < 32; shift += 8) {
      const byte = word >>> shift & 0xff
      if (byte === 0) return hash
      hash = Math.imul(hash ^ byte, FNV_PRIME)
      lastThree = lastThree << 8 & 0xffff00 | byte
      if (lastThree === THREE_UNDERSCORES) return UNKNOWN_HASH
    }
  }
}

/** Names that have it by chance are looked up as well. */
export const UNKNOWN_HASH = 0
const THREE_UNDERSCORES = 0x5f5f5f

function bytesOf ({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array { return new Uint8Array(buffer, byteOffset, byteLength) }

function enlarge (words: Int32Array, used: number): Int32Array {
  const larger = new Int32Array(2 * words.length)
  larger.set(words.subarray(0, used))
  return larger
}

/**
 * At first, which is enough for the kernels of distributions: the text of the largest struct has some ten thousand words, the digests have
 * 120,000, the references 280,000. Code that was compiled before something grew for the first time is compiled anew.
 */
const INITIAL_WORDS = { text: 128 * 1024, digests: 192 * 1024, references: 384 * 1024 } as const
/** Above these, memory is not kept. */
const USUAL_TYPES = 512 * 1024
const USUAL_WORDS = 512 * 1024

/** Fresh memory makes V8 collect garbage. Not kept while a walk is under way. */
let kept: Scratch | undefined

function takeScratch (types: number): Scratch {
  const scratch = kept !== undefined && kept.known.length >= 2 * types ? kept : newScratch(types)
  kept = undefined
  scratch.known.fill(0, 0, 2 * types)
  return scratch
}

function newScratch (types: number): Scratch {
  return {
    text: new Int32Array(INITIAL_WORDS.text),
    digests: new Int32Array(INITIAL_WORDS.digests),
    references: new Int32Array(INITIAL_WORDS.references),
    known: new Int32Array(2 * types)
  }
}

/** Gives the memory of a walk to the next one. Nothing else may be asked of it afterwards. */
export function endWalk ({ text, digests, references, known }: Walk): void {
  if (known.length > 2 * USUAL_TYPES || [text, digests, references].some(({ length }) => length > USUAL_WORDS)) return
  kept = { text, digests, references, known }
}
