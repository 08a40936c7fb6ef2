import { at, dataView, isInside } from '../bytes/checked.js'
import { fnv1a } from '../bytes/hash.js'
import { endOfString, stringAt } from '../bytes/strings.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { findString, kindName, type Btf } from './btf.js'
import { BtfKind } from './constants.js'
import { parseBtfHeader, type BtfHeader } from './header.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_LAYOUT, BTF_MEMBER, BTF_PARAM, BTF_TYPE, BTF_VAR_SECINFO, KIND_TAILS } from './layout.js'
import { essentialNameLength } from './names.js'

export interface ParseRawBtfOptions {
  /** The BTF that this one extends: vmlinux for a module. */
  readonly base?: Btf | undefined
  /** Bytes of a pointer, where the caller knows it (from the ELF class). Otherwise the base's, or what the BTF's `long` says, or 8. */
  readonly pointerSize?: 4 | 8 | undefined
  /** Whether to build the name index. Kernels' BTF wants it, an object's does not. */
  readonly indexNames?: boolean
  /** Where the index goes: `n => new SharedArrayBuffer(n)` lets threads share it. Called once, with a size in bytes. */
  readonly allocate?: (byteLength: number) => ArrayBufferLike
}

/** What a Btf is besides its bytes and its index: plain data, so that another thread can put the three together again. */
export interface BtfShape {
  readonly header: BtfHeader
  readonly startId: number
  readonly endId: number
  readonly startStrOff: number
  readonly pointerSize: 4 | 8
  readonly buckets: number
  readonly indexedNames: number
}

/** A parsed Btf in parts. `bytes` and `index` are shared, not copied, when they are SharedArrayBuffers. */
export interface BtfParts {
  readonly bytes: ArrayBufferLike
  readonly byteOffset: number
  readonly byteLength: number
  readonly index: ArrayBufferLike
  readonly shape: BtfShape
}

/** The parts of each Btf that was parsed here, for partsOf. */
const partsByBtf = new WeakMap<Btf, BtfParts>()

/**
 * Validates raw BTF and indexes it. Time is linear in the bytes; the index takes 4 bytes a type and about 8 a name.
 *
 * Accepts what libbpf 1.8 accepts (btf_parse_hdr to btf_validate_type). What libbpf leaves unchecked (cycles, the result type
 * of a FUNC_PROTO) is refused by the walks that would stumble over it.
 *
 * @throws AppError `btf_invalid`, with `type_id` and `offset` (bytes) in `details`
 */
export function parseRawBtf (bytes: Uint8Array, options: ParseRawBtfOptions = {}): Btf {
  const { base, indexNames = true, allocate = (byteLength: number) => new ArrayBuffer(byteLength) } = options
  const header = parseBtfHeader(bytes, base !== undefined)
  const input: ScanInput = {
    bytes,
    view: dataView(bytes),
    littleEndian: header.byteOrder === 'little',
    header,
    base,
    startId: base?.endId ?? 1,
    startStrOff: base === undefined ? 0 : base.startStrOff + base.strLen
  }
  const counts = countTypes(input)
  const buckets = indexNames ? bucketCount(counts.names) : 0
  const index = allocate(4 * (counts.types + (indexNames ? buckets + 1 + counts.names : 0)))

  const typeOffsets = new Uint32Array(index, 0, counts.types)
  fillOffsets(input, typeOffsets)
  const hashes = new Uint32Array(indexNames ? counts.names : 0)
  const hashed = new Uint32Array(hashes.length)
  const indexedNames = validateTypes(input, typeOffsets, hashes, hashed)
  const starts = new Uint32Array(index, 4 * counts.types, indexNames ? buckets + 1 : 0)
  const ids = new Uint32Array(index, 4 * (counts.types + starts.length), indexNames ? counts.names : 0)
  if (indexNames) fillBuckets(starts, ids, hashes, hashed, indexedNames)

  const pointerSize = options.pointerSize ?? base?.pointerSize ?? longSize(input, typeOffsets) ?? 8
  const shape: BtfShape = {
    header, startId: input.startId, endId: input.startId + counts.types, startStrOff: input.startStrOff, pointerSize, buckets, indexedNames: counts.names
  }
  return attachBtf({ bytes: bytes.buffer, byteOffset: bytes.byteOffset, byteLength: bytes.byteLength, index, shape }, base)
}

/** Puts a parsed Btf together from its parts, which another thread made. Checks nothing: the parts come from parseRawBtf. */
export function attachBtf (parts: BtfParts, base: Btf | undefined): Btf {
  const { header, buckets, ...shape } = parts.shape
  const bytes = new Uint8Array(parts.bytes, parts.byteOffset, parts.byteLength)
  const types = shape.endId - shape.startId
  const hasNames = buckets > 0
  const btf: Btf = {
    bytes,
    view: dataView(bytes),
    littleEndian: header.byteOrder === 'little',
    byteOrder: header.byteOrder,
    base,
    startId: shape.startId,
    endId: shape.endId,
    startStrOff: shape.startStrOff,
    strStart: header.strStart,
    strLen: header.strLen,
    pointerSize: shape.pointerSize,
    typeOffsets: new Uint32Array(parts.index, 0, types),
    nameIndex: hasNames
      ? { starts: new Uint32Array(parts.index, 4 * types, buckets + 1), ids: new Uint32Array(parts.index, 4 * (types + buckets + 1), shape.indexedNames) }
      : undefined,
    layout: header.layoutLen === 0 ? base?.layout : { bytes, offset: header.layoutStart, length: header.layoutLen }
  }
  partsByBtf.set(btf, parts)
  return btf
}

/** The parts of a Btf, to hand to another thread. */
export function partsOf (btf: Btf): BtfParts {
  const parts = partsByBtf.get(btf)
  if (parts === undefined) throw new AppError('internal_error', 'A Btf that parseRawBtf did not make has no parts.')
  return parts
}

interface ScanInput {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly littleEndian: boolean
  readonly header: BtfHeader
  readonly base: Btf | undefined
  readonly startId: number
  readonly startStrOff: number
}

/** Bit k is set where types of kind k may be a relocation's root and are many enough to be worth a hash index. FUNCs, most of the names, are not. */
const INDEXED_KINDS = [BtfKind.INT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.FWD, BtfKind.TYPEDEF, BtfKind.FLOAT, BtfKind.ENUM64]
  .reduce((bits, kind) => bits | (1 << kind), 0)

/** Whether the name index holds types of this kind; others are found by a walk. */
export function isIndexedKind (kind: number): boolean { return kind < 32 && (INDEXED_KINDS >>> kind & 1) === 1 }

/** Bytes of the record at `offset`, by its kind or by the layout section. */
function recordSize (input: ScanInput, info: number, offset: number, id: number): number {
  const kind = (info >>> 24) & 0x7f
  const tail = KIND_TAILS[kind]
  if (tail !== undefined) return BTF_TYPE.SIZE + tail.fixed + tail.element * (info & 0xffffff)
  const layout = input.header.layoutLen === 0
    ? input.base?.layout
    : { bytes: input.bytes, offset: input.header.layoutStart, length: input.header.layoutLen }
  const entry = kind * BTF_LAYOUT.SIZE
  if (layout === undefined || entry >= layout.length) {
    throw invalid(`Type ${id} is of kind ${kind}, which is not known and which no layout section describes.`, id, offset)
  }
  if (!input.littleEndian) {
    throw invalid(`Type ${id} is of kind ${kind}, which is not known; big-endian BTF cannot have such kinds, as libbpf could not swap them.`, id, offset)
  }
  const infoSize = at(layout.bytes, layout.offset + entry + BTF_LAYOUT.infoSize)
  const elementSize = at(layout.bytes, layout.offset + entry + BTF_LAYOUT.elementSize)
  if (infoSize % 4 !== 0 || elementSize % 4 !== 0) {
    throw invalid(`The layout section gives kind ${kind} sizes of ${infoSize} and ${elementSize} bytes, which are not multiples of 4.`, id, offset)
  }
  return BTF_TYPE.SIZE + infoSize + elementSize * (info & 0xffffff)
}

function countTypes (input: ScanInput): { types: number, names: number } {
  const { view, littleEndian, header } = input
  let types = 0
  let names = 0
  for (let offset = header.typeStart; offset < header.typeEnd;) {
    const id = input.startId + types
    if (!isInside(offset, BTF_TYPE.SIZE, header.typeEnd)) throw invalid(`The type section ends ${header.typeEnd - offset} bytes into type ${id}.`, id, offset)
    if (types >= LIMITS.btfTypes) throw new AppError('btf_invalid', `The BTF has more than ${LIMITS.btfTypes} types.`, { limit: LIMITS.btfTypes })
    const info = view.getUint32(offset + BTF_TYPE.info, littleEndian)
    const size = recordSize(input, info, offset, id)
    if (!isInside(offset, size, header.typeEnd)) {
      throw invalid(`Type ${id} (${kindName((info >>> 24) & 0x7f)}) needs ${size} bytes, but the type section ends after ${header.typeEnd - offset}.`, id, offset)
    }
    if (isIndexedKind((info >>> 24) & 0x7f) && view.getUint32(offset + BTF_TYPE.nameOff, littleEndian) !== 0) names++
    types++
    offset += size
  }
  return { types, names }
}

function fillOffsets (input: ScanInput, typeOffsets: Uint32Array): void {
  const { view, littleEndian, header } = input
  let offset = header.typeStart
  for (let i = 0; i < typeOffsets.length; i++) {
    typeOffsets[i] = offset
    offset += recordSize(input, view.getUint32(offset + BTF_TYPE.info, littleEndian), offset, input.startId + i)
  }
}

/** Checks every type as btf_validate_type does, and hashes the names to index. Returns how many names that were. */
function validateTypes (input: ScanInput, typeOffsets: Uint32Array, hashes: Uint32Array, hashed: Uint32Array): number {
  const { view, littleEndian, startId } = input
  const endId = startId + typeOffsets.length
  const strEnd = input.startStrOff + input.header.strLen
  let names = 0

  const checkName = (nameOff: number, id: number, offset: number): void => {
    if (nameOff >= strEnd) throw invalid(`Type ${id} has a name at string offset ${nameOff}, past the strings' end at ${strEnd}.`, id, offset)
  }
  const checkId = (reference: number, id: number, offset: number): void => {
    if (reference >= endId) throw invalid(`Type ${id} refers to type ${reference}, but ids end at ${endId - 1}.`, id, offset)
  }
  const checkElements = (count: number, size: number, nameAt: number, typeAt: number, id: number, offset: number): void => {
    for (let i = 0, element = offset + BTF_TYPE.SIZE; i < count; i++, element += size) {
      if (nameAt >= 0) checkName(view.getUint32(element + nameAt, littleEndian), id, element)
      if (typeAt >= 0) checkId(view.getUint32(element + typeAt, littleEndian), id, element)
    }
  }

  for (let i = 0; i < typeOffsets.length; i++) {
    const id = startId + i
    const offset = at(typeOffsets, i)
    const nameOff = view.getUint32(offset + BTF_TYPE.nameOff, littleEndian)
    const info = view.getUint32(offset + BTF_TYPE.info, littleEndian)
    const kind = (info >>> 24) & 0x7f
    const vlen = info & 0xffffff
    checkName(nameOff, id, offset)
    switch (kind) {
      case BtfKind.PTR: case BtfKind.TYPEDEF: case BtfKind.VOLATILE: case BtfKind.CONST: case BtfKind.RESTRICT:
      case BtfKind.VAR: case BtfKind.DECL_TAG: case BtfKind.TYPE_TAG:
        checkId(view.getUint32(offset + BTF_TYPE.sizeOrType, littleEndian), id, offset)
        break
      case BtfKind.ARRAY:
        checkId(view.getUint32(offset + BTF_ARRAY.type, littleEndian), id, offset)
        checkId(view.getUint32(offset + BTF_ARRAY.indexType, littleEndian), id, offset)
        break
      case BtfKind.STRUCT: case BtfKind.UNION:
        checkElements(vlen, BTF_MEMBER.SIZE, BTF_MEMBER.nameOff, BTF_MEMBER.type, id, offset)
        break
      case BtfKind.ENUM:
        checkElements(vlen, BTF_ENUM.SIZE, BTF_ENUM.nameOff, -1, id, offset)
        break
      case BtfKind.ENUM64:
        checkElements(vlen, BTF_ENUM64.SIZE, BTF_ENUM64.nameOff, -1, id, offset)
        break
      case BtfKind.FUNC_PROTO:
        checkElements(vlen, BTF_PARAM.SIZE, BTF_PARAM.nameOff, BTF_PARAM.type, id, offset)
        break
      case BtfKind.DATASEC:
        checkElements(vlen, BTF_VAR_SECINFO.SIZE, -1, BTF_VAR_SECINFO.type, id, offset)
        break
      case BtfKind.FUNC:
        checkFunc(input, typeOffsets, id, offset)
        break
      default: // INT, FWD, FLOAT and kinds that a layout section describes refer to nothing that we read.
        break
    }
    if (names < hashes.length && nameOff !== 0 && isIndexedKind(kind)) {
      hashes[names] = hashName(input, nameOff)
      hashed[names] = id
      names++
    }
  }
  return names
}

function checkFunc (input: ScanInput, typeOffsets: Uint32Array, id: number, offset: number): void {
  const proto = input.view.getUint32(offset + BTF_TYPE.sizeOrType, input.littleEndian)
  const own = proto - input.startId
  let kind: number = BtfKind.UNKN
  if (own >= 0 && own < typeOffsets.length) kind = (input.view.getUint32(at(typeOffsets, own) + BTF_TYPE.info, input.littleEndian) >>> 24) & 0x7f
  else if (own < 0 && input.base !== undefined) kind = kindInBase(input.base, proto)
  if (kind !== BtfKind.FUNC_PROTO) throw invalid(`Type ${id} is a func whose type ${proto} is no func_proto but ${kindName(kind)}.`, id, offset)
}

function kindInBase (base: Btf, id: number): number {
  let owner = base
  while (id < owner.startId && owner.base !== undefined) owner = owner.base
  const offset = owner.typeOffsets[id - owner.startId]
  return offset === undefined ? BtfKind.UNKN : (owner.view.getUint32(offset + BTF_TYPE.info, owner.littleEndian) >>> 24) & 0x7f
}

function hashName (input: ScanInput, nameOff: number): number {
  let bytes = input.bytes
  let start = input.header.strStart + nameOff - input.startStrOff
  if (nameOff < input.startStrOff && input.base !== undefined) {
    const place = findString(input.base, nameOff)
    if (place !== undefined) {
      bytes = place.bytes
      start = place.offset
    }
  }
  const length = endOfString(bytes, start) - start
  return fnv1a(bytes, start, essentialNameLength(bytes, start, length))
}

/** A power of two near the number of names, so that a bucket holds about one. */
function bucketCount (names: number): number {
  let buckets = 1
  while (buckets < names) buckets *= 2
  return buckets
}

/** Counting sort by bucket. Stable, so that ids stay ascending in each bucket. */
function fillBuckets (starts: Uint32Array, ids: Uint32Array, hashes: Uint32Array, hashed: Uint32Array, count: number): void {
  const mask = starts.length - 2
  for (let i = 0; i < count; i++) {
    const slot = (at(hashes, i) & mask) + 1
    starts[slot] = at(starts, slot) + 1
  }
  for (let slot = 1; slot < starts.length; slot++) starts[slot] = at(starts, slot) + at(starts, slot - 1)
  const next = starts.slice(0, -1)
  for (let i = 0; i < count; i++) {
    const bucket = at(hashes, i) & mask
    const slot = at(next, bucket)
    next[bucket] = slot + 1
    ids[slot] = at(hashed, i)
  }
}

/** The spellings of long that libbpf looks for to learn a pointer's size (determine_ptr_size). */
const LONG_NAMES = new Set([
  'long', 'long int', 'int long', 'unsigned long', 'long unsigned', 'unsigned long int', 'unsigned int long', 'long unsigned int',
  'long int unsigned', 'int unsigned long', 'int long unsigned'
])

function longSize (input: ScanInput, typeOffsets: Uint32Array): 4 | 8 | undefined {
  for (const offset of typeOffsets) {
    const info = input.view.getUint32(offset + BTF_TYPE.info, input.littleEndian)
    if (((info >>> 24) & 0x7f) !== BtfKind.INT) continue
    const size = input.view.getUint32(offset + BTF_TYPE.sizeOrType, input.littleEndian)
    if (size !== 4 && size !== 8) continue
    const name = input.header.strStart + input.view.getUint32(offset + BTF_TYPE.nameOff, input.littleEndian)
    if (LONG_NAMES.has(stringAt(input.bytes, name))) return size
  }
  return undefined
}

function invalid (message: string, id: number, offset: number): AppError {
  return new AppError('btf_invalid', message, { type_id: id, offset })
}
