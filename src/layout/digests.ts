import type { Btf, TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_INT, BTF_MEMBER, BTF_PARAM, BTF_TYPE } from '../btf/layout.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { createFollower } from './followed.js'
import { DIGEST_SIZE, type LayoutFormat } from './format.js'
import { nameInBase, partsOfBtf } from './records.js'

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
/** Bytes for which there is room at the start. The text of the largest struct has some ten thousand. */
const INITIAL_BYTES = 256 * 1024
/** Most that is written between one name or parameter and the next: numbers, a chain of arrays, a digest. */
const BYTES_BETWEEN = 8 * MAX_CHAIN

/** Beside the kinds' numbers, which go to 0x7f: behind a pointer composites count by kind and name alone. */
const BEHIND_POINTER = 0x80
const FOLLOWED = 0xfe

/** In the place of a digest. */
const NONE = -1

const WORDS_OF_TYPE = BTF_TYPE.SIZE / 4
const NAME = BTF_TYPE.nameOff / 4
const INFO = BTF_TYPE.info / 4
const REFERENCE = BTF_TYPE.sizeOrType / 4

/**
 * What is inside a type is written and hashed before the rest of it, in one growing stretch of bytes. It is 4 MB for a kernel, most of it
 * names of members and types, so that the loops over these have by themselves all that they use.
 */
export function createLayoutDigests (btf: Btf, { hash, followed }: LayoutFormat): LayoutDigests {
  const { own, bases } = partsOfBtf(btf)
  const { words: ownWords, offsets: ownOffsets, start: ownStart, startId } = own
  const { bytes: ownStrings, startStrOff, endId } = btf
  const firstName = btf.strStart - startStrOff
  const follow = createFollower(btf, followed)
  const most = btf.bytes.length * LIMITS.hashedBytesPerByte
  const scratch = takeScratch(endId)
  const { known, referenceOf } = scratch
  let { text, digests, references } = scratch
  let at = 0
  /** Bytes that were written, and taken away again once they were hashed. */
  let written = 0
  let end = 0
  let referencesEnd = 0
  let depth = 0
  /** Of the record that `locate` found last. */
  let words = ownWords

  const locate = (id: number): number => {
    if (id >= startId) {
      words = ownWords
      return ((ownOffsets[id - startId] ?? 0) - ownStart) >>> 2
    }
    const part = bases.find(base => id >= base.startId) ?? own
    words = part.words
    return ((part.offsets[id - part.startId] ?? 0) - part.start) >>> 2
  }

  /** Makes room for a name and what follows it up to the next. */
  const reserve = (): void => {
    if (at + LIMITS.nameBytes + BYTES_BETWEEN > text.length) text = enlarge(text, at)
  }
  const writeByte = (value: number): void => { text[at++] = value }
  const writeWord = (value: number): void => {
    const [output, to] = [text, at]
    output[to] = value
    output[to + 1] = value >>> 8
    output[to + 2] = value >>> 16
    output[to + 3] = value >>> 24
    at = to + 4
  }
  /** With its NUL. */
  const writeName = (offset: number): void => {
    if (offset < startStrOff) {
      const place = nameInBase(btf, offset >>> 0)
      writeString(place.bytes, place.offset)
    } else writeString(ownStrings, firstName + offset)
  }
  const writeString = (bytes: Uint8Array, offset: number): void => {
    reserve()
    const output = text
    let to = at
    for (let from = offset, byte = 1; byte !== 0; from++, to++) {
      byte = bytes[from] ?? 0
      output[to] = byte
    }
    if (to - at - 1 > LIMITS.nameBytes) throw overlongName() // of which what had no room was not written
    at = to
  }
  const writeDigest = (mark: number, digest: number): boolean => {
    if (digest === NONE) return false
    writeByte(mark)
    for (let i = 0; i < DIGEST_SIZE; i++) text[at + i] = digests[digest - 1 + i] ?? 0
    at += DIGEST_SIZE
    return true
  }
  const digestOf = (id: number, isFunction: boolean, isBehindPointer: boolean): number => {
    const key = isFunction && isBehindPointer ? endId + id : id
    const held = known[key] ?? 0
    if (held !== 0) return held
    if (depth === MAX_DEPTH || isPastLimit()) return NONE
    known[key] = NONE
    const start = at
    depth++
    const isWhole = isFunction ? writeFunction(id, isBehindPointer) : writeType(id)
    depth--
    if (isWhole) known[key] = keep(hash(text.subarray(start, at)))
    written += at - start
    at = start
    return known[key] ?? NONE
  }
  const isPastLimit = (): boolean => written + at > most
  /** @returns one more than its offset */
  const keep = (digest: string): number => {
    if (end === digests.length) digests = enlarge(digests, end)
    const offset = end
    for (let i = 0; i < DIGEST_SIZE; i++) digests[offset + i] = digest.charCodeAt(i)
    end = offset + DIGEST_SIZE
    return offset + 1
  }

  /** A type where it is named or embedded. False where it cannot be walked. */
  const writeType = (id: number): boolean => {
    const record = locate(id)
    const own = words
    const info = own[record + INFO] ?? 0
    const kind = (info >>> 24) & 0x7f
    const size = own[record + REFERENCE] ?? 0
    const first = record + WORDS_OF_TYPE
    reserve()
    writeByte(kind)
    writeName(own[record + NAME] ?? 0)
    switch (kind) {
      case BtfKind.STRUCT: case BtfKind.UNION:
        writeWord(size)
        return writeMembers(own, first, info & 0xffffff, info < 0) && writeFollowed(id)
      case BtfKind.ENUM: case BtfKind.ENUM64:
        writeByte(info >>> 31)
        writeWord(size)
        return writeEnumerators(own, first, info & 0xffffff, kind === BtfKind.ENUM64)
      case BtfKind.INT:
        writeWord(size)
        writeWord(own[record + BTF_INT.data / 4] ?? 0)
        return true
      case BtfKind.FLOAT:
        writeWord(size)
        return true
      case BtfKind.FWD:
        writeByte(info >>> 31)
        return true
      case BtfKind.TYPEDEF:
        return writeReference(size, false)
      default:
        return false
    }
  }

  /** @param hasWidths the composite's kind_flag: its members' offsets have the widths of bitfields in their top byte */
  const writeMembers = (own: Int32Array, first: number, count: number, hasWidths: boolean): boolean => {
    writeWord(count)
    for (let i = 0, record = first; i < count; i++, record += BTF_MEMBER.SIZE / 4) {
      if (isPastLimit()) return false
      const place = own[record + BTF_MEMBER.offset / 4] ?? 0
      writeName(own[record + BTF_MEMBER.nameOff / 4] ?? 0)
      writeWord(hasWidths ? place & 0xffffff : place)
      writeByte(hasWidths ? place >>> 24 : 0)
      if (!writeMemberType(own[record + BTF_MEMBER.type / 4] ?? 0)) return false
    }
    return true
  }

  /** Copies what was written of the type before: members have four times as many types as there are. */
  const writeMemberType = (id: number): boolean => {
    const held = referenceOf[id] ?? 0
    if (held === 0) {
      const start = at
      if (!writeReference(id, false)) return false
      keepReference(id, start)
      return true
    }
    const [output, source] = [text, references]
    let to = at
    for (let from = held, stop = held + (source[held - 1] ?? 0); from < stop; from++, to++) output[to] = source[from] ?? 0
    at = to
    return true
  }
  const keepReference = (id: number, start: number): void => {
    const length = at - start
    if (length > 0xff) return
    if (referencesEnd + 1 + length > references.length) references = enlarge(references, referencesEnd)
    references[referencesEnd] = length
    references.set(text.subarray(start, at), referencesEnd + 1)
    referenceOf[id] = referencesEnd + 1
    referencesEnd += 1 + length
  }

  const writeEnumerators = (own: Int32Array, first: number, count: number, isWide: boolean): boolean => {
    writeWord(count)
    const size = (isWide ? BTF_ENUM64.SIZE : BTF_ENUM.SIZE) / 4
    for (let i = 0, record = first; i < count; i++, record += size) {
      if (isPastLimit()) return false
      writeName(own[record + BTF_ENUM.nameOff / 4] ?? 0)
      writeWord(own[record + BTF_ENUM.value / 4] ?? 0)
      if (isWide) writeWord(own[record + BTF_ENUM64.high / 4] ?? 0)
    }
    return true
  }

  const writeFunction = (id: number, isBehindPointer: boolean): boolean => {
    const record = locate(id)
    const own = words
    const count = (own[record + INFO] ?? 0) & 0xffffff
    reserve()
    writeByte(BtfKind.FUNC_PROTO)
    writeWord(count)
    for (let i = 0; i < count; i++) {
      const type = own[record + WORDS_OF_TYPE + (i * BTF_PARAM.SIZE + BTF_PARAM.type) / 4] ?? 0
      if (isPastLimit() || !writeReference(type, isBehindPointer)) return false
      reserve()
    }
    return writeReference(own[record + REFERENCE] ?? 0, isBehindPointer)
  }

  /** A type as something refers to it: what stands before it, and then itself. */
  const writeReference = (from: number, isFromPointer: boolean): boolean => {
    let id = from
    let isBehindPointer = isFromPointer
    for (let steps = 0; steps < MAX_CHAIN; steps++) {
      if (id === 0) {
        writeByte(BtfKind.UNKN)
        return true
      }
      if (id < 0 || id >= endId) return false
      const record = locate(id)
      const kind = ((words[record + INFO] ?? 0) >>> 24) & 0x7f
      switch (kind) {
        case BtfKind.TYPEDEF:
          writeByte(kind)
          writeName(words[record + NAME] ?? 0)
          id = words[record + REFERENCE] ?? 0
          break
        case BtfKind.PTR:
          isBehindPointer = true
          writeByte(kind)
          id = words[record + REFERENCE] ?? 0
          break
        case BtfKind.CONST: case BtfKind.VOLATILE: case BtfKind.RESTRICT: case BtfKind.TYPE_TAG:
          writeByte(kind)
          id = words[record + REFERENCE] ?? 0
          break
        case BtfKind.ARRAY:
          writeByte(kind)
          writeWord(words[record + BTF_ARRAY.nelems / 4] ?? 0)
          id = words[record + BTF_ARRAY.type / 4] ?? 0
          break
        case BtfKind.STRUCT: case BtfKind.UNION:
          if (!isBehindPointer) return writeDigest(kind, digestOf(id, false, false))
          writeByte(kind | BEHIND_POINTER)
          writeName(words[record + NAME] ?? 0)
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
      reserve()
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
        written += at
        at = 0
        depth = 0
        return undefined
      }
    },
    copy (digest, output, offset) {
      for (let i = 0; i < DIGEST_SIZE; i++) output[offset + i] = digests[digest + i] ?? 0
    },
    isWithinLimits: () => !isPastLimit(),
    end () { giveBack({ text, digests, references, known, referenceOf }) }
  }
}

/** What a walk needs of memory. */
interface Scratch {
  /** What is being written. */
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
 * Fresh memory has V8 collect garbage, which takes as long as a quarter of the walk; so kernels of the usual size share one scratch, while
 * none of them is being walked. In types.
 */
const SCRATCH_TYPES = 512 * 1024
let kept: Scratch | undefined

function takeScratch (types: number): Scratch {
  const scratch = kept !== undefined && kept.referenceOf.length >= types ? kept : newScratch(types)
  kept = undefined
  scratch.known.fill(0)
  scratch.referenceOf.fill(0)
  return scratch
}

function giveBack (scratch: Scratch): void {
  const { text, digests, references, referenceOf } = scratch
  const isUsual = referenceOf.length <= SCRATCH_TYPES && [text, digests, references].every(({ length }) => length <= USUAL_BYTES)
  if (isUsual) kept = scratch
}

/** Of each part but the ids'. The digests of a kernel have 400 KB. */
const USUAL_BYTES = 2 * 1024 * 1024

function newScratch (types: number): Scratch {
  return {
    text: new Uint8Array(INITIAL_BYTES),
    digests: new Uint8Array(INITIAL_BYTES),
    references: new Uint8Array(INITIAL_BYTES),
    known: new Int32Array(2 * types),
    referenceOf: new Int32Array(types)
  }
}

function enlarge (bytes: Uint8Array, used: number): Uint8Array {
  const larger = new Uint8Array(2 * bytes.length)
  larger.set(bytes.subarray(0, used))
  return larger
}

function overlongName (): AppError {
  return new AppError('btf_invalid', `A name has more than ${LIMITS.nameBytes} bytes.`, { limit: LIMITS.nameBytes })
}
