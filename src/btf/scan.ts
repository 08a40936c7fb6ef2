import { at } from '../bytes/checked.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { kindName, type Btf, type LayoutSection } from './btf.js'
import { BtfKind } from './constants.js'
import type { BtfHeader } from './header.js'
import { BTF_LAYOUT, BTF_TYPE, ELEMENT_WORDS, KIND_TAILS } from './layout.js'

/** What the walks over a type section share. Offsets are in bytes from the start of `bytes`. */
export interface ScanInput {
  readonly bytes: Uint8Array
  readonly littleEndian: boolean
  readonly header: BtfHeader
  readonly base: Btf | undefined
  readonly layout: LayoutSection | undefined
  readonly startId: number
  readonly startStrOff: number
}

/** What one walk over the type section finds. All by id - startId. In memory that the next walk uses again. */
export interface Scan {
  /** Byte offset of each record. */
  readonly offsets: Uint32Array
  readonly kinds: Uint8Array
  /** Indices of the types whose names are to be indexed, and their name_offs. */
  readonly named: Uint32Array
  readonly nameOffs: Int32Array
}

/**
 * Bit k is set where types of kind k may be a relocation's root and are many enough to be worth a hash index. FUNCs, most of the
 * names, are not.
 */
const INDEXED_KINDS = [
  BtfKind.INT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.FWD, BtfKind.TYPEDEF, BtfKind.FLOAT, BtfKind.ENUM64
].reduce((bits, kind) => bits | (1 << kind), 0)

/** Whether the name index holds types of this kind; others are found by a walk. */
export function isIndexedKind (kind: number): boolean { return kind < 32 && (INDEXED_KINDS >>> kind & 1) === 1 }

/** By kind: tables, because a switch over 20 names costs the walk a third of its time. */
const FIXED_WORDS = Uint8Array.from({ length: 128 }, (_, kind) => (KIND_TAILS[kind]?.fixed ?? 0) / 4)
const IS_KNOWN = Uint8Array.from({ length: 128 }, (_, kind) => KIND_TAILS[kind] === undefined ? 0 : 1)

const TYPE_WORDS = BTF_TYPE.SIZE / 4

/** Fresh memory costs a page fault for every 4 KiB, more than the walk itself; so kernels of the usual size share one scratch. In types. */
const SCRATCH_TYPES = 512 * 1024
let scratch: Scan | undefined

function scratchFor (types: number): Scan {
  if (types <= (scratch?.kinds.length ?? 0) && scratch !== undefined) return scratch
  const size = Math.max(types, 4096)
  const fresh = {
    offsets: new Uint32Array(size),
    kinds: new Uint8Array(size),
    named: new Uint32Array(size),
    nameOffs: new Int32Array(size)
  }
  if (size <= SCRATCH_TYPES) scratch = fresh
  return fresh
}

/**
 * Walks the type section once and finds where each record is. What the records refer to is validateTypes' business.
 *
 * @param words the type section, from input.header.typeStart
 * @throws AppError `btf_invalid` with `type_id` and `offset`: a record that is cut off, or of a kind without a known size
 */
export function scanTypes (input: ScanInput, words: Int32Array): Scan {
  const { startId } = input
  const { typeStart, typeEnd } = input.header
  const end = words.length
  const fixedWordsOf = FIXED_WORDS
  const elementWordsOf = ELEMENT_WORDS
  const isKnown = IS_KNOWN
  const { offsets, kinds, named, nameOffs } = scratchFor(Math.floor(end / TYPE_WORDS))
  let types = 0
  let names = 0
  let at = 0
  while (at + TYPE_WORDS <= end) {
    const start = at
    const info = words[start + 1] ?? 0
    const kind = (info >>> 24) & 0x7f
    at = start + TYPE_WORDS + (fixedWordsOf[kind] ?? 0) + (elementWordsOf[kind] ?? 0) * (info & 0xffffff)
    if (isKnown[kind] === 0) at = start + describedSize(input, info, typeStart + 4 * start, startId + types) / 4
    if (at > end) throw truncatedType(info, 4 * (at - start), typeEnd - typeStart - 4 * start, startId + types, typeStart + 4 * start)
    const nameOff = words[start] ?? 0
    if (isIndexedKind(kind) && nameOff !== 0) {
      nameOffs[names] = nameOff
      named[names++] = types
    }
    kinds[types] = kind
    offsets[types++] = typeStart + 4 * start
  }
  const rest = typeEnd - typeStart - 4 * at
  if (rest !== 0) throw invalid(`The type section ends ${rest} bytes into type ${startId + types}.`, startId + types, typeEnd - rest)
  if (types > LIMITS.btfTypes) {
    throw new AppError(
      'btf_invalid',
      `The BTF has ${types} types; at most ${LIMITS.btfTypes} are read.`,
      { limit: LIMITS.btfTypes }
    )
  }
  return {
    offsets: offsets.subarray(0, types),
    kinds: kinds.subarray(0, types),
    named: named.subarray(0, names),
    nameOffs: nameOffs.subarray(0, names)
  }
}

/** Bytes of a record whose kind only the layout section knows. */
function describedSize (input: ScanInput, info: number, offset: number, id: number): number {
  const kind = (info >>> 24) & 0x7f
  const { layout } = input
  const entry = kind * BTF_LAYOUT.SIZE
  if (layout === undefined || entry >= layout.length) {
    throw invalid(`Type ${id} has the unknown kind ${kind}, which no layout section describes.`, id, offset)
  }
  if (!input.littleEndian) {
    throw invalid(
      `Type ${id} has the unknown kind ${kind}. Big-endian BTF cannot have such kinds, because libbpf could not swap them.`,
      id,
      offset
    )
  }
  const infoSize = at(layout.bytes, layout.offset + entry + BTF_LAYOUT.infoSize)
  const elementSize = at(layout.bytes, layout.offset + entry + BTF_LAYOUT.elementSize)
  if (infoSize % 4 !== 0 || elementSize % 4 !== 0) {
    throw invalid(
      `The layout section gives kind ${kind} sizes of ${infoSize} and ${elementSize} bytes, which are not multiples of 4.`,
      id,
      offset
    )
  }
  return BTF_TYPE.SIZE + infoSize + elementSize * (info & 0xffffff)
}

function truncatedType (info: number, size: number, left: number, id: number, offset: number): AppError {
  return invalid(`Type ${id} (${kindName((info >>> 24) & 0x7f)}) needs ${size} bytes, but the type section ends after ${left}.`, id, offset)
}

function invalid (message: string, id: number, offset: number): AppError {
  return new AppError('btf_invalid', message, { type_id: id, offset })
}
