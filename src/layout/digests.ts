import type { Btf, TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_INT, BTF_MEMBER, BTF_PARAM, BTF_TYPE } from '../btf/layout.js'
import { AppError } from '../errors.js'
import { DIGEST_SIZE, type LayoutFormat } from './format.js'
import {
  beginWalk, endWalk, isPastLimit, keepReference, locate, NONE, reserve, reserveDigest, writeByte, writeKept, writeName, writeWord,
  type Walk
} from './walk.js'

/**
 * Digests of types by all that a relocation on them can see, and by all that its reasons tell of them. Ids are no part of it.
 *
 * A composite has its name, its size and its members, each with name, place, width and type, and through types embedded by value
 * all of theirs. A typedef has what it stands for. A pointer has what libbpf's comparisons see behind it (type_matches sees most):
 * kinds and names of composites, signatures of functions, enumerators.
 */
export interface LayoutDigests {
  /**
   * Where the digest of a type is, for `copy`. Undefined for one that cannot be walked to its end: made of itself, nested beyond what
   * compilers make, or of a kind that no relocation looks into.
   */
  of(id: TypeId): number | undefined
  /** Writes DIGEST_SIZE bytes. */
  copy(digest: number, output: Uint8Array, offset: number): void
  /** False once more was written than real BTF needs, after which nothing more has a digest. */
  isWithinLimits(): boolean
  /** Gives the memory to the next walk. Nothing else may be asked afterwards. */
  end(): void
}

/** Typedefs, qualifiers, pointers and arrays in a row. Real ones have fewer than 20; libbpf refuses 33. */
const MAX_CHAIN = 64
/** Composites and functions within each other. Real ones nest about 12 deep. */
const MAX_DEPTH = 96

/** Beside the kinds' numbers, which go to 0x7f: behind a pointer composites count by kind and name alone. */
const BEHIND_POINTER = 0x80
const FOLLOWED = 0xfe

const WORDS_OF_TYPE = BTF_TYPE.SIZE / 4
const NAME = BTF_TYPE.nameOff / 4
const INFO = BTF_TYPE.info / 4
const REFERENCE = BTF_TYPE.sizeOrType / 4

export function createLayoutDigests (btf: Btf, format: LayoutFormat): LayoutDigests {
  const walk = beginWalk(btf, format)
  return {
    of (id) {
      try {
        const digest = digestOf(walk, id, false, false)
        return digest === NONE ? undefined : digest - 1
      } catch (error) {
        // Ids and strings were validated. What cannot be walked all the same has no digest, and nor has what was being walked.
        if (!(error instanceof AppError) || error.code === 'internal_error') throw error
        walk.written += walk.at
        walk.at = 0
        walk.depth = 0
        return undefined
      }
    },
    copy (digest, output, offset) {
      const { digests } = walk
      for (let i = 0; i < DIGEST_SIZE; i++) output[offset + i] = digests[digest + i] ?? 0
    },
    isWithinLimits: () => !isPastLimit(walk),
    end () { endWalk(walk) }
  }
}

/** One more than the offset of the type's digest, or NONE. */
function digestOf (walk: Walk, id: number, isFunction: boolean, isBehindPointer: boolean): number {
  const { known } = walk
  const key = isFunction && isBehindPointer ? walk.endId + id : id
  const held = known[key] ?? 0
  if (held !== 0) return held
  if (walk.depth === MAX_DEPTH || isPastLimit(walk)) return NONE
  known[key] = NONE
  const start = walk.at
  walk.depth++
  const isWhole = isFunction ? writeFunction(walk, id, isBehindPointer) : writeType(walk, id)
  walk.depth--
  const digest = isWhole ? keepDigest(walk, walk.hash(walk.text.subarray(start, walk.at))) : NONE
  known[key] = digest
  walk.written += walk.at - start
  walk.at = start
  return digest
}

/** @returns one more than its offset */
function keepDigest (walk: Walk, digest: string): number {
  reserveDigest(walk)
  const { digests, digestsEnd } = walk
  for (let i = 0; i < DIGEST_SIZE; i++) digests[digestsEnd + i] = digest.charCodeAt(i)
  walk.digestsEnd = digestsEnd + DIGEST_SIZE
  return digestsEnd + 1
}

function writeDigest (walk: Walk, mark: number, digest: number): boolean {
  if (digest === NONE) return false
  const { text, at, digests } = walk
  text[at] = mark
  for (let i = 0; i < DIGEST_SIZE; i++) text[at + 1 + i] = digests[digest - 1 + i] ?? 0
  walk.at = at + 1 + DIGEST_SIZE
  return true
}

/** A type where it is named or embedded. False where it cannot be walked. */
function writeType (walk: Walk, id: number): boolean {
  const record = locate(walk, id)
  const { words } = walk
  const info = words[record + INFO] ?? 0
  const kind = (info >>> 24) & 0x7f
  const size = words[record + REFERENCE] ?? 0
  const first = record + WORDS_OF_TYPE
  reserve(walk)
  writeByte(walk, kind)
  writeName(walk, words[record + NAME] ?? 0)
  switch (kind) {
    case BtfKind.STRUCT: case BtfKind.UNION:
      writeWord(walk, size)
      return writeMembers(walk, words, first, info & 0xffffff, info < 0) && writeFollowed(walk, id)
    case BtfKind.ENUM: case BtfKind.ENUM64:
      writeByte(walk, info >>> 31)
      writeWord(walk, size)
      return writeEnumerators(walk, words, first, info & 0xffffff, kind === BtfKind.ENUM64)
    case BtfKind.INT:
      writeWord(walk, size)
      writeWord(walk, words[record + BTF_INT.data / 4] ?? 0)
      return true
    case BtfKind.FLOAT:
      writeWord(walk, size)
      return true
    case BtfKind.FWD:
      writeByte(walk, info >>> 31)
      return true
    case BtfKind.TYPEDEF:
      return writeReference(walk, size, false)
    default:
      return false
  }
}

/** @param hasWidths the composite's kind_flag: its members' offsets have the widths of bitfields in their top byte */
function writeMembers (walk: Walk, words: Int32Array, first: number, count: number, hasWidths: boolean): boolean {
  writeWord(walk, count)
  for (let i = 0, record = first; i < count; i++, record += BTF_MEMBER.SIZE / 4) {
    if (isPastLimit(walk)) return false
    const place = words[record + BTF_MEMBER.offset / 4] ?? 0
    writeName(walk, words[record + BTF_MEMBER.nameOff / 4] ?? 0)
    writeWord(walk, hasWidths ? place & 0xffffff : place)
    writeByte(walk, hasWidths ? place >>> 24 : 0)
    const type = words[record + BTF_MEMBER.type / 4] ?? 0
    if (writeKept(walk, type)) continue // members have four times as many types as there are
    const start = walk.at
    if (!writeReference(walk, type, false)) return false
    keepReference(walk, type, start)
  }
  return true
}

function writeEnumerators (walk: Walk, words: Int32Array, first: number, count: number, isWide: boolean): boolean {
  writeWord(walk, count)
  const size = (isWide ? BTF_ENUM64.SIZE : BTF_ENUM.SIZE) / 4
  for (let i = 0, record = first; i < count; i++, record += size) {
    if (isPastLimit(walk)) return false
    writeName(walk, words[record + BTF_ENUM.nameOff / 4] ?? 0)
    writeWord(walk, words[record + BTF_ENUM.value / 4] ?? 0)
    if (isWide) writeWord(walk, words[record + BTF_ENUM64.high / 4] ?? 0)
  }
  return true
}

function writeFunction (walk: Walk, id: number, isBehindPointer: boolean): boolean {
  const record = locate(walk, id)
  const { words } = walk
  const count = (words[record + INFO] ?? 0) & 0xffffff
  reserve(walk)
  writeByte(walk, BtfKind.FUNC_PROTO)
  writeWord(walk, count)
  for (let i = 0; i < count; i++) {
    const type = words[record + WORDS_OF_TYPE + (i * BTF_PARAM.SIZE + BTF_PARAM.type) / 4] ?? 0
    if (isPastLimit(walk) || !writeReference(walk, type, isBehindPointer)) return false
    reserve(walk)
  }
  return writeReference(walk, words[record + REFERENCE] ?? 0, isBehindPointer)
}

/** A type as something refers to it: what stands before it, and then itself. */
function writeReference (walk: Walk, from: number, isFromPointer: boolean): boolean {
  let id = from
  let isBehindPointer = isFromPointer
  for (let steps = 0; steps < MAX_CHAIN; steps++) {
    if (id === 0) {
      writeByte(walk, BtfKind.UNKN)
      return true
    }
    if (id < 0 || id >= walk.endId) return false
    const record = locate(walk, id)
    const { words } = walk
    const kind = ((words[record + INFO] ?? 0) >>> 24) & 0x7f
    switch (kind) {
      case BtfKind.TYPEDEF:
        writeByte(walk, kind)
        writeName(walk, words[record + NAME] ?? 0)
        id = words[record + REFERENCE] ?? 0
        break
      case BtfKind.PTR:
        isBehindPointer = true
        writeByte(walk, kind)
        id = words[record + REFERENCE] ?? 0
        break
      case BtfKind.CONST: case BtfKind.VOLATILE: case BtfKind.RESTRICT: case BtfKind.TYPE_TAG:
        writeByte(walk, kind)
        id = words[record + REFERENCE] ?? 0
        break
      case BtfKind.ARRAY:
        writeByte(walk, kind)
        writeWord(walk, words[record + BTF_ARRAY.nelems / 4] ?? 0)
        id = words[record + BTF_ARRAY.type / 4] ?? 0
        break
      case BtfKind.STRUCT: case BtfKind.UNION:
        if (!isBehindPointer) return writeDigest(walk, kind, digestOf(walk, id, false, false))
        writeByte(walk, kind | BEHIND_POINTER)
        writeName(walk, words[record + NAME] ?? 0)
        return true
      case BtfKind.ENUM: case BtfKind.ENUM64:
        return writeDigest(walk, kind, digestOf(walk, id, false, false))
      case BtfKind.FUNC_PROTO:
        return writeDigest(walk, kind, digestOf(walk, id, true, isBehindPointer))
      default: // INT, FLOAT, FWD; others have no size and no comparison
        return writeType(walk, id)
    }
  }
  return false
}

/** What followed members of the composite point to, as if it were embedded. */
function writeFollowed (walk: Walk, id: number): boolean {
  for (const pointee of walk.follow(id)) {
    reserve(walk)
    if (!writeDigest(walk, FOLLOWED, digestOf(walk, pointee, false, false))) return false
  }
  return true
}
