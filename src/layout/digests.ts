import { isValidId, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_INT, BTF_MEMBER, BTF_PARAM, BTF_TYPE } from '../btf/layout.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { createFollower } from './followed.js'
import { DIGEST_SIZE, type LayoutFormat } from './format.js'
import { createRecords } from './records.js'
import { createWriter } from './writer.js'

/**
 * Digests of types by all that a relocation on them can see, and by all that its reasons tell of them. Ids are no part of it.
 *
 * A composite has its name, its size and its members, each with name, place, width and type, and through types embedded by value
 * all of theirs. A typedef has what it stands for. A pointer has what libbpf's comparisons see behind it (type_matches sees most):
 * kinds and names of composites, signatures of functions, enumerators.
 */
export interface LayoutDigests {
  /**
   * Where in `bytes` the digest of a type is. Undefined for one that cannot be walked to its end: made of itself, nested beyond what
   * compilers make, or of a kind that no relocation looks into.
   */
  of(id: TypeId): number | undefined
  /** Digests that were made, DIGEST_SIZE bytes each. Another array once more were made. */
  readonly bytes: Uint8Array
  /** False once more was written than real BTF needs, after which nothing more has a digest. */
  readonly isWithinLimits: boolean
}

/** Typedefs, qualifiers, pointers and arrays in a row. Real ones have fewer than 20; libbpf refuses 33. */
const MAX_CHAIN = 64
/** Composites and functions within each other. Real ones nest about 12 deep. */
const MAX_DEPTH = 96

/** Beside the kinds' numbers, which go to 0x7f: behind a pointer composites count by kind and name alone. */
const BEHIND_POINTER = 0x80
const FOLLOWED = 0xfe

/** In the place of a digest. */
const NONE = -1

const WORDS_OF_TYPE = BTF_TYPE.SIZE / 4
const [NAME, INFO, REFERENCE] = [BTF_TYPE.nameOff / 4, BTF_TYPE.info / 4, BTF_TYPE.sizeOrType / 4]

export function createLayoutDigests (btf: Btf, { hash, followed }: LayoutFormat): LayoutDigests {
  const records = createRecords(btf)
  const writer = createWriter()
  const follow = createFollower(btf, followed)
  const most = btf.bytes.length * LIMITS.hashedBytesPerByte
  const digests = createWriter()
  /**
   * One more than the offset of the digest, by id, and past all ids for a function's type behind a pointer. Arrays and bytes, because a
   * map of strings costs more than all hashing. NONE: it is being walked, or could not be.
   */
  const known = new Int32Array(2 * btf.endId)
  let depth = 0

  const digestOf = (id: number, isFunction: boolean, isBehindPointer: boolean): number => {
    const key = isFunction && isBehindPointer ? btf.endId + id : id
    const held = known[key] ?? 0
    if (held !== 0) return held
    if (depth === MAX_DEPTH || writer.written > most) return NONE
    known[key] = NONE
    const start = writer.at
    depth++
    const isWhole = isFunction ? writeFunction(id, isBehindPointer) : writeType(id)
    const digest = isWhole ? digests.at + 1 : NONE
    if (isWhole) digests.text(hash(writer.since(start)), DIGEST_SIZE)
    depth--
    writer.dropTo(start)
    known[key] = digest
    return digest
  }
  const writeDigest = (mark: number, digest: number): boolean => {
    if (digest === NONE) return false
    writer.byte(mark)
    writer.copy(digests.bytes, digest - 1, DIGEST_SIZE)
    return true
  }
  const writeName = (offset: number): void => {
    const start = records.findName(offset >>> 0)
    writer.name(records.names, start)
  }

  /** A type where it is named or embedded. False where it cannot be walked. */
  const writeType = (id: number): boolean => {
    const at = records.locate(id)
    const { words } = records
    const info = words[at + INFO] ?? 0
    const kind = (info >>> 24) & 0x7f
    const size = words[at + REFERENCE] ?? 0
    writer.byte(kind)
    writeName(words[at + NAME] ?? 0)
    switch (kind) {
      case BtfKind.STRUCT: case BtfKind.UNION:
        writer.word(size)
        return writeMembers(words, at + WORDS_OF_TYPE, info & 0xffffff, info < 0) && writeFollowed(id)
      case BtfKind.ENUM: case BtfKind.ENUM64:
        writer.byte(info >>> 31)
        writer.word(size)
        writeEnumerators(words, at + WORDS_OF_TYPE, info & 0xffffff, kind === BtfKind.ENUM64)
        return true
      case BtfKind.INT:
        writer.word(size)
        writer.word(words[at + BTF_INT.data / 4] ?? 0)
        return true
      case BtfKind.FLOAT:
        writer.word(size)
        return true
      case BtfKind.FWD:
        writer.byte(info >>> 31)
        return true
      case BtfKind.TYPEDEF:
        return writeReference(size, false)
      default:
        return false
    }
  }

  /** @param hasWidths the composite's kind_flag: its members' offsets have the widths of bitfields in their top byte */
  const writeMembers = (words: Int32Array, first: number, count: number, hasWidths: boolean): boolean => {
    writer.word(count)
    for (let i = 0, at = first; i < count; i++, at += BTF_MEMBER.SIZE / 4) {
      if (writer.written > most) return false
      const place = words[at + BTF_MEMBER.offset / 4] ?? 0
      writeName(words[at + BTF_MEMBER.nameOff / 4] ?? 0)
      writer.word(hasWidths ? place & 0xffffff : place)
      writer.byte(hasWidths ? place >>> 24 : 0)
      if (!writeReference(words[at + BTF_MEMBER.type / 4] ?? 0, false)) return false
    }
    return true
  }

  const writeEnumerators = (words: Int32Array, first: number, count: number, isWide: boolean): void => {
    writer.word(count)
    const size = (isWide ? BTF_ENUM64.SIZE : BTF_ENUM.SIZE) / 4
    for (let i = 0, at = first; i < count; i++, at += size) {
      writeName(words[at + BTF_ENUM.nameOff / 4] ?? 0)
      writer.word(words[at + BTF_ENUM.value / 4] ?? 0)
      if (isWide) writer.word(words[at + BTF_ENUM64.high / 4] ?? 0)
    }
  }

  const writeFunction = (id: number, isBehindPointer: boolean): boolean => {
    const at = records.locate(id)
    const { words } = records
    const count = (words[at + INFO] ?? 0) & 0xffffff
    writer.byte(BtfKind.FUNC_PROTO)
    writer.word(count)
    for (let i = 0; i < count; i++) {
      const type = words[at + WORDS_OF_TYPE + (i * BTF_PARAM.SIZE + BTF_PARAM.type) / 4] ?? 0
      if (writer.written > most || !writeReference(type, isBehindPointer)) return false
    }
    return writeReference(words[at + REFERENCE] ?? 0, isBehindPointer)
  }

  /** A type as something refers to it: what stands before it, and then itself. */
  const writeReference = (from: number, isFromPointer: boolean): boolean => {
    let id = from
    let isBehindPointer = isFromPointer
    for (let steps = 0; steps < MAX_CHAIN; steps++) {
      if (id === 0) {
        writer.byte(BtfKind.UNKN)
        return true
      }
      if (!isValidId(btf, id)) return false
      const at = records.locate(id)
      const { words } = records
      const kind = ((words[at + INFO] ?? 0) >>> 24) & 0x7f
      switch (kind) {
        case BtfKind.TYPEDEF:
          writer.byte(kind)
          writeName(words[at + NAME] ?? 0)
          id = words[at + REFERENCE] ?? 0
          break
        case BtfKind.PTR:
          isBehindPointer = true
          writer.byte(kind)
          id = words[at + REFERENCE] ?? 0
          break
        case BtfKind.CONST: case BtfKind.VOLATILE: case BtfKind.RESTRICT: case BtfKind.TYPE_TAG:
          writer.byte(kind)
          id = words[at + REFERENCE] ?? 0
          break
        case BtfKind.ARRAY:
          writer.byte(kind)
          writer.word(words[at + BTF_ARRAY.nelems / 4] ?? 0)
          id = words[at + BTF_ARRAY.type / 4] ?? 0
          break
        case BtfKind.STRUCT: case BtfKind.UNION:
          if (!isBehindPointer) return writeDigest(kind, digestOf(id, false, false))
          writer.byte(kind | BEHIND_POINTER)
          writeName(words[at + NAME] ?? 0)
          return true
        case BtfKind.ENUM: case BtfKind.ENUM64:
          return writeDigest(kind, digestOf(id, false, false))
        case BtfKind.FUNC_PROTO:
          return writeDigest(kind, digestOf(id, true, isBehindPointer))
        default: // INT, FLOAT, FWD; others have no size and no comparison
          return writeType(id)
      }
    }
    return false
  }

  /** What followed members of the composite point to, as if it were embedded. */
  const writeFollowed = (id: number): boolean => {
    for (const pointee of follow(id)) {
      if (!writeDigest(FOLLOWED, digestOf(pointee, false, false))) return false
    }
    return true
  }

  return {
    of (id) {
      try {
        const digest = digestOf(id, false, false)
        return digest === NONE ? undefined : digest - 1
      } catch (error) {
        // Ids and strings were validated. What cannot be walked all the same has no digest, and nor has what was being walked.
        if (!(error instanceof AppError) || error.code === 'internal_error') throw error
        writer.dropTo(0)
        depth = 0
        return undefined
      }
    },
    get bytes () { return digests.bytes },
    get isWithinLimits () { return writer.written <= most }
  }
}
