import { memberBitfieldSize, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_INT, BTF_MEMBER, BTF_PARAM, BTF_TYPE } from '../btf/layout.js'
import { AppError } from '../errors.js'
import type { LayoutFormat } from './format.js'
import {
  beginWalk, copyDigest, DIGEST_MARK, DIGEST_WORDS, endWalk, isPastLimit, keepDigest, keepText, locate, NONE, packName, reserve, rewind,
  ROOM, UNKNOWN_HASH, writeKnown, writeName, writeWord, type Walk
} from './walk.js'

/**
 * Digests of types by all that a relocation on them can see, and by all that its reasons tell of them. Ids are no part of it.
 *
 * A composite has its name, its size and its members, each with name, place, width and type, and through types embedded by value
 * all of theirs. A typedef has what it stands for. A pointer has what libbpf's comparisons see behind it (type_matches sees most):
 * kinds and names of composites, signatures of functions, enumerators.
 *
 * What is hashed of a type is its text, in words of the machine: kind, name, and what the kind has. Where it refers to a type that has a
 * name, the text has that one's digest; where that has none, as an anonymous union or a function's signature, its text, unless that is
 * long. Each text tells by its first words where it ends, so that no two layouts have the same.
 */
export interface LayoutDigests {
  /**
   * Where the digest of a type is, for `copy`. Undefined for one that cannot be walked to its end: made of itself, nested beyond what
   * compilers make, or of a kind that no relocation looks into.
   */
  of(id: TypeId): number | undefined
  /** fnv1a of the name of the type, which is its essential name. Undefined where that has to be looked up. */
  nameHashOf(digest: number): number | undefined
  /** Writes DIGEST_SIZE bytes. */
  copy(digest: number, output: DataView, offset: number): void
  /** False once more was written than real BTF needs, after which nothing more has a digest. */
  isWithinLimits(): boolean
  /** Gives the memory to the next walk. Nothing else may be asked afterwards. */
  end(): void
}

/** Typedefs, qualifiers, pointers and arrays in a row. Real ones have fewer than 20; libbpf refuses 33. */
const MAX_CHAIN = 64
/** Composites, functions and typedefs within each other. Real ones nest about 20 deep. */
const MAX_DEPTH = 192
/** Longest text of a type without a name that stands where it is referred to. Longer ones are hashed, since many may refer to them. */
const INLINE_WORDS = 64

/** Words that are written and hashed in the time that it takes to pass a member on a path that is followed, and to throw an error. */
const STEP_WORDS = 2
const FAILURE_WORDS = 4096

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
        const digest = digestOf(walk, id)
        return digest === NONE ? undefined : digest
      } catch (error) {
        // Ids and strings were validated. What cannot be walked all the same has no digest, and nor has what was being walked.
        if (!(error instanceof AppError) || error.code === 'internal_error') throw error
        rewind(walk, 0)
        walk.written += FAILURE_WORDS
        walk.depth = 0
        return undefined
      }
    },
    nameHashOf (digest) {
      const hash = walk.digests[digest + DIGEST_WORDS] ?? UNKNOWN_HASH
      return hash === UNKNOWN_HASH ? undefined : hash >>> 0
    },
    copy (digest, output, offset) { copyDigest(walk, digest, output, offset) },
    isWithinLimits: () => !isPastLimit(walk),
    end () { endWalk(walk) }
  }
}

/** Where the digest of a root is, or NONE. */
function digestOf (walk: Walk, id: number): number {
  const { known, at } = walk
  if (known[id] === 0 && !writeNested(walk, id, id, false, false)) return NONE
  let held = known[id] ?? NONE
  if (held < NONE) { // it is of a kind that has a name, but that is empty
    rewind(walk, at)
    writeKnown(walk, held)
    held = keepDigest(walk, at, false)
  }
  rewind(walk, at)
  return held
}

/**
 * Writes a type that is not known yet where another refers to it: its text, or its digest.
 *
 * @param key by which it will be known
 * @returns false where it cannot be walked
 */
function writeNested (walk: Walk, id: number, key: number, isFunction: boolean, isBehindPointer: boolean): boolean {
  const { known } = walk
  if (walk.depth === MAX_DEPTH || isPastLimit(walk)) return false
  known[key] = NONE
  const start = walk.at
  walk.depth++
  const isWhole = isFunction ? writeFunction(walk, id, isBehindPointer) : writeType(walk, id)
  walk.depth--
  if (!isWhole) {
    rewind(walk, start)
    return false
  }
  const hasName = !isFunction && walk.text[start + 1] !== 0
  if (!hasName && walk.at - start <= INLINE_WORDS) {
    keepText(walk, key, start)
    return true
  }
  const digest = keepDigest(walk, start, hasName)
  known[key] = digest
  rewind(walk, start)
  return writeKnown(walk, digest)
}

/** What is hashed of a type. False where it cannot be walked. */
function writeType (walk: Walk, id: number): boolean {
  const record = locate(walk, id)
  const { words } = walk
  const info = words[record + INFO] ?? 0
  const kind = (info >>> 24) & 0x7f
  const size = words[record + REFERENCE] ?? 0
  const first = record + WORDS_OF_TYPE
  const start = walk.at
  writeWord(walk, kind)
  writeName(walk, words[record + NAME] ?? 0)
  switch (kind) {
    case BtfKind.STRUCT: case BtfKind.UNION: {
      const initial = (walk.text[start + 1] ?? 0) & 0xff
      writeWord(walk, size)
      return writeMembers(walk, words, first, info & 0xffffff, info < 0) &&
        (walk.followedInitials[initial] === 0 || writeFollowed(walk, id))
    }
    case BtfKind.ENUM: case BtfKind.ENUM64:
      writeWord(walk, info >>> 31)
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
      writeWord(walk, info >>> 31)
      return true
    case BtfKind.TYPEDEF:
      return writeReference(walk, size, false)
    default:
      return false
  }
}

/**
 * Most of a kernel's types is members: the loop has by itself all that it uses, and calls something only for a type that is not known yet.
 *
 * @param hasWidths the composite's kind_flag: its members' offsets have the widths of bitfields in their top byte
 */
function writeMembers (walk: Walk, words: Int32Array, first: number, count: number, hasWidths: boolean): boolean {
  writeWord(walk, count)
  const { known, strings, lastString, firstName, firstOwnName, most } = walk
  let { text, digests, references, at } = walk
  let last = 0
  for (let i = 0, record = first; i < count; i++, record += BTF_MEMBER.SIZE / 4) {
    if (at + ROOM > text.length || walk.written + at > most) {
      walk.at = at
      if (isPastLimit(walk)) return false
      reserve(walk)
      text = walk.text
    }
    const name = words[record + BTF_MEMBER.nameOff / 4] ?? 0
    const offset = words[record + BTF_MEMBER.offset / 4] ?? 0
    const type = words[record + BTF_MEMBER.type / 4] ?? 0
    if (name >= firstOwnName) {
      at = packName(text, at, strings, lastString, firstName + name)
    } else {
      walk.at = at
      writeName(walk, name)
      at = walk.at
      text = walk.text
    }
    const reference = at
    let held = known[type] ?? 0
    const isNew = held === 0 || held === NONE
    if (isNew) {
      walk.at = at
      if (!writeReference(walk, type, false)) return false
      ;({ text, digests, references, at } = walk)
      held = known[type] ?? 0
    }
    if (held !== 0 && (held === last || isSameReference(digests, references, held, last))) {
      at = reference
      text[at++] = SAME_MARK
    } else if (!isNew && held > 0) {
      text[at] = DIGEST_MARK
      text[at + 1] = digests[held] ?? 0
      text[at + 2] = digests[held + 1] ?? 0
      text[at + 3] = digests[held + 2] ?? 0
      text[at + 4] = digests[held + 3] ?? 0
      at += 1 + DIGEST_WORDS
    } else if (!isNew) {
      for (let from = -held, end = from + (references[from - 1] ?? 0); from < end; from++) text[at++] = references[from] ?? 0
    }
    last = held
    // What a reference begins with is a byte. Beside it go the width and the place, or that the place is too large for that and follows.
    const place = hasWidths ? offset & 0xffffff : offset
    const width = hasWidths ? offset >>> 24 : 0
    const isNear = place >= 0 && place < FAR
    text[reference] = (text[reference] ?? 0) | width << WIDTH_SHIFT | (isNear ? place : FAR) << PLACE_SHIFT
    if (!isNear) text[at++] = place
  }
  walk.at = at
  return true
}

/** In the place of a type: it is that of the member before, as it is in a third of all. Not what any type's text begins with. */
const SAME_MARK = 0xfd
const WIDTH_SHIFT = 8
const PLACE_SHIFT = 16
/** Bits from which on a place does not go into half a word. */
const FAR = 0xffff

/** Whether the same is written of two types that are known: BTF may have a type twice. */
function isSameReference (digests: Int32Array, references: Int32Array, one: number, other: number): boolean {
  if (one > 0) {
    if (other <= 0) return false
    for (let i = 0; i < DIGEST_WORDS; i++) if (digests[one + i] !== digests[other + i]) return false
    return true
  }
  const length = references[-one - 1] ?? 0
  if (other >= NONE || references[-other - 1] !== length) return false
  for (let i = 0; i < length; i++) if (references[i - one] !== references[i - other]) return false
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
  writeWord(walk, BtfKind.FUNC_PROTO)
  writeWord(walk, count)
  for (let i = 0; i < count; i++) {
    const type = words[record + WORDS_OF_TYPE + (i * BTF_PARAM.SIZE + BTF_PARAM.type) / 4] ?? 0
    if (isPastLimit(walk) || !writeReference(walk, type, isBehindPointer)) return false
  }
  return writeReference(walk, words[record + REFERENCE] ?? 0, isBehindPointer)
}

/** A type as something refers to it. */
function writeReference (walk: Walk, id: number, isBehindPointer: boolean): boolean {
  reserve(walk)
  if (id === 0) {
    writeWord(walk, BtfKind.UNKN)
    return true
  }
  if (id < 0 || id >= walk.endId) return false
  const { known } = walk
  const key = isBehindPointer ? walk.endId + id : id
  const held = known[key] ?? 0
  if (held !== 0) return writeKnown(walk, held)
  const start = walk.at
  if (!writeChain(walk, id, isBehindPointer)) return false
  if (known[key] === 0) keepText(walk, key, start)
  return true
}

/** What stands before a type, and then the type itself. */
function writeChain (walk: Walk, from: number, isFromPointer: boolean): boolean {
  let id = from
  let isBehindPointer = isFromPointer
  for (let steps = 0; steps < MAX_CHAIN; steps++) {
    if (id === 0) {
      writeWord(walk, BtfKind.UNKN)
      return true
    }
    if (id < 0 || id >= walk.endId) return false
    const record = locate(walk, id)
    const { words } = walk
    const kind = ((words[record + INFO] ?? 0) >>> 24) & 0x7f
    switch (kind) {
      case BtfKind.TYPEDEF:
        if (!isBehindPointer) return writeEmbedded(walk, id, id, false, false)
        writeWord(walk, kind)
        writeName(walk, words[record + NAME] ?? 0)
        id = words[record + REFERENCE] ?? 0
        break
      case BtfKind.PTR:
        isBehindPointer = true
        writeWord(walk, kind)
        id = words[record + REFERENCE] ?? 0
        break
      case BtfKind.CONST: case BtfKind.VOLATILE: case BtfKind.RESTRICT: case BtfKind.TYPE_TAG:
        writeWord(walk, kind)
        id = words[record + REFERENCE] ?? 0
        break
      case BtfKind.ARRAY:
        writeWord(walk, kind)
        writeWord(walk, words[record + BTF_ARRAY.nelems / 4] ?? 0)
        id = words[record + BTF_ARRAY.type / 4] ?? 0
        break
      case BtfKind.STRUCT: case BtfKind.UNION:
        if (!isBehindPointer) return writeEmbedded(walk, id, id, false, false)
        writeWord(walk, kind | BEHIND_POINTER)
        writeName(walk, words[record + NAME] ?? 0)
        return true
      case BtfKind.FUNC_PROTO:
        return writeEmbedded(walk, id, isBehindPointer ? walk.endId + id : id, true, isBehindPointer)
      default: // ENUM, ENUM64, INT, FLOAT, FWD; others have no size and no comparison
        return writeEmbedded(walk, id, id, false, false)
    }
  }
  return false
}

function writeEmbedded (walk: Walk, id: number, key: number, isFunction: boolean, isBehindPointer: boolean): boolean {
  const held = walk.known[key] ?? 0
  return held === 0 ? writeNested(walk, id, key, isFunction, isBehindPointer) : writeKnown(walk, held)
}

/** Where followed paths of the composite lead: of each step, whether it is a bitfield, and its type. Paths are always in one order. */
function writeFollowed (walk: Walk, id: number): boolean {
  const { paths, steps } = walk.follow(id)
  walk.written += STEP_WORDS * steps
  if (isPastLimit(walk)) return false
  for (const path of paths) {
    reserve(walk)
    writeWord(walk, FOLLOWED)
    writeWord(walk, path?.length ?? 0)
    for (const { composite, index, type } of path ?? []) {
      reserve(walk)
      writeWord(walk, memberBitfieldSize(walk.btf, composite, index))
      if (!writeReference(walk, type, false)) return false
    }
  }
  return true
}
