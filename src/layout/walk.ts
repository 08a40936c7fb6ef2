import type { Btf, TypeId } from '../btf/btf.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { createFollower } from './followed.js'
import type { LayoutFormat } from './format.js'
import { nameInBase, partsOfBtf, type Part } from './records.js'

/** What a walk needs of memory, which the next one uses again. */
interface Scratch {
  /** What is inside a type is written and hashed before the rest of it, behind what was written of that. */
  text: Uint8Array
  /** DIGEST_SIZE bytes each. */
  digests: Uint8Array
  /** What members wrote of their types, each after a byte with its length. */
  references: Uint8Array
  /**
   * One more than the offset of the digest, by id, and past all ids for a function's type behind a pointer. Arrays and bytes, because a
   * map of strings costs more than all hashing. NONE: it is being walked, or could not be.
   */
  readonly known: Int32Array
  /** One more than the offset of what members wrote of the type, past its length, by id. */
  readonly referenceOf: Int32Array
}

/**
 * A walk over the types of a BTF. One object that functions are given, and no closures: these would be others for each BTF, for which
 * V8 compiles and forgets what uses them again and again.
 */
export interface Walk extends Scratch {
  readonly btf: Btf
  readonly endId: number
  readonly hash: LayoutFormat['hash']
  readonly follow: (composite: number) => readonly TypeId[]
  readonly own: Part
  readonly bases: readonly Part[]
  readonly strings: Uint8Array
  /** Where the string at offset 0 would be in `strings`. */
  readonly firstName: number
  readonly firstOwnName: number
  /** Bytes that may be written. */
  readonly most: number
  /** Of the record that `locate` found last. */
  words: Int32Array
  /** Where the next byte of the text goes. */
  at: number
  /** Bytes that were written, and taken away again once they were hashed. */
  written: number
  digestsEnd: number
  referencesEnd: number
  depth: number
}

/** In the place of a digest. */
export const NONE = -1

/** Most that is written between one name, or call of `reserve`, and the next: numbers, 64 arrays, a digest. */
const BYTES_BETWEEN = 512

export function beginWalk (btf: Btf, { hash, followed }: LayoutFormat): Walk {
  const { own, bases } = partsOfBtf(btf)
  const { text, digests, references, known, referenceOf } = takeScratch(btf.endId)
  return { // member by member, since objects that are spread into others have maps of their own
    text,
    digests,
    references,
    known,
    referenceOf,
    btf,
    endId: btf.endId,
    hash,
    follow: createFollower(btf, followed),
    own,
    bases,
    strings: btf.bytes,
    firstName: btf.strStart - btf.startStrOff,
    firstOwnName: btf.startStrOff,
    most: btf.bytes.length * LIMITS.hashedBytesPerByte,
    words: own.words,
    at: 0,
    written: 0,
    digestsEnd: 0,
    referencesEnd: 0,
    depth: 0
  }
}

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

/** Makes room for a name and what follows it up to the next. */
export function reserve (walk: Walk): void {
  if (walk.at + LIMITS.nameBytes + BYTES_BETWEEN > walk.text.length) walk.text = enlarge(walk.text, walk.at)
}

export function writeByte (walk: Walk, value: number): void { walk.text[walk.at++] = value }

export function writeWord (walk: Walk, value: number): void {
  const { text, at } = walk
  text[at] = value
  text[at + 1] = value >>> 8
  text[at + 2] = value >>> 16
  text[at + 3] = value >>> 24
  walk.at = at + 4
}

/**
 * Writes the name at a string offset, with its NUL.
 *
 * @throws AppError `btf_invalid`: it is longer than any that is read, or past the strings
 */
export function writeName (walk: Walk, offset: number): void {
  if (offset >= walk.firstOwnName) return writeString(walk, walk.strings, walk.firstName + offset)
  const place = nameInBase(walk.btf, offset >>> 0)
  writeString(walk, place.bytes, place.offset)
}

/** Most of what is written is names: the loop has by itself all that it uses. */
function writeString (walk: Walk, bytes: Uint8Array, offset: number): void {
  reserve(walk)
  const { text } = walk
  const start = walk.at
  let to = start
  for (let from = offset, byte = 1; byte !== 0; from++, to++) {
    byte = bytes[from] ?? 0
    text[to] = byte
  }
  walk.at = to
  // Of which what had no room was not written.
  if (to - start - 1 > LIMITS.nameBytes) {
    throw new AppError('btf_invalid', `A name has more than ${LIMITS.nameBytes} bytes.`, { limit: LIMITS.nameBytes })
  }
}

/** Writes again what a member wrote of its type. False where none did. */
export function writeKept (walk: Walk, id: number): boolean {
  const first = walk.referenceOf[id] ?? 0
  if (first === 0) return false
  const { text, references } = walk
  let to = walk.at
  for (let from = first, end = first + (references[first - 1] ?? 0); from < end; from++, to++) text[to] = references[from] ?? 0
  walk.at = to
  return true
}

/** Keeps what was written of a member's type from `start` on. */
export function keepReference (walk: Walk, id: number, start: number): void {
  const length = walk.at - start
  if (length > 0xff) return
  const first = walk.referencesEnd + 1
  if (first + length > walk.references.length) walk.references = enlarge(walk.references, walk.referencesEnd)
  const { text, references } = walk
  references[first - 1] = length
  for (let i = 0; i < length; i++) references[first + i] = text[start + i] ?? 0
  walk.referenceOf[id] = first
  walk.referencesEnd = first + length
}

/** Makes room for a digest. */
export function reserveDigest (walk: Walk): void {
  if (walk.digestsEnd === walk.digests.length) walk.digests = enlarge(walk.digests, walk.digestsEnd)
}

function enlarge (bytes: Uint8Array, used: number): Uint8Array {
  const larger = new Uint8Array(2 * bytes.length)
  larger.set(bytes.subarray(0, used))
  return larger
}

/** Of each part but the ids' at first. The text of the largest struct has some ten thousand, the digests of a kernel 400 KB. */
const INITIAL_BYTES = 512 * 1024
/** Above these, memory is not kept. */
const USUAL_TYPES = 512 * 1024
const USUAL_BYTES = 2 * 1024 * 1024

/** Fresh memory makes V8 collect garbage. Not kept while a walk is under way. */
let kept: Scratch | undefined

function takeScratch (types: number): Scratch {
  const scratch = kept !== undefined && kept.referenceOf.length >= types ? kept : newScratch(types)
  kept = undefined
  scratch.known.fill(0)
  scratch.referenceOf.fill(0)
  return scratch
}

function newScratch (types: number): Scratch {
  return {
    text: new Uint8Array(INITIAL_BYTES),
    digests: new Uint8Array(INITIAL_BYTES),
    references: new Uint8Array(INITIAL_BYTES),
    known: new Int32Array(2 * types),
    referenceOf: new Int32Array(types)
  }
}

/** Gives the memory of a walk to the next one. Nothing else may be asked of it afterwards. */
export function endWalk ({ text, digests, references, known, referenceOf }: Walk): void {
  if (referenceOf.length > USUAL_TYPES || [text, digests, references].some(({ length }) => length > USUAL_BYTES)) return
  kept = { text, digests, references, known, referenceOf }
}
