import { dataView } from '../bytes/checked.js'
import { stringAt } from '../bytes/strings.js'
import { AppError } from '../errors.js'
import type { Btf, LayoutSection, Pages } from './btf.js'
import { BtfKind } from './constants.js'
import { parseBtfHeader, type BtfHeader } from './header.js'
import { BTF_TYPE } from './layout.js'
import { bucketCount, fillBuckets, hashNames, type HashedNames } from './name-index.js'
import { scanTypes, type Scan, type ScanInput } from './scan.js'
import { validateTypes } from './validate.js'
import { wordsOf } from './words.js'

export interface ParseRawBtfOptions {
  /** The BTF that this one extends: vmlinux for a module. */
  readonly base?: Btf | undefined
  /** Bytes of a pointer, where the caller knows it (from the ELF class). Otherwise the base's, or what the BTF's `long` says, or 8. */
  readonly pointerSize?: 4 | 8 | undefined
  /** Whether to build the name index. Kernels' BTF wants it, an object's does not. */
  readonly indexNames?: boolean
  /**
   * Whether these very bytes (by their hash) were validated before, so that it need not be done again. Walks check what they
   * follow in any case.
   */
  readonly isValidated?: boolean
  /**
   * Where the index goes: `n => new SharedArrayBuffer(n)` lets threads share it. Called once, with the bytes that the index needs; what a
   * larger buffer has behind these is left alone.
   */
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

/**
 * Validates raw BTF and indexes it. Time is linear in the bytes; the index takes 4 bytes a type and about 8 a name.
 *
 * Accepts what libbpf 1.8 accepts (btf_parse_hdr to btf_validate_type). What libbpf leaves unchecked (cycles, the result type
 * of a FUNC_PROTO) is refused by the walks that would stumble over it.
 *
 * @throws AppError `btf_invalid`, with `type_id` and `offset` (bytes) in `details`
 */
export function parseRawBtf (bytes: Uint8Array, options: ParseRawBtfOptions = {}): Btf {
  return attachBtf(parseBtfParts(bytes, options), options.base)
}

/**
 * The same in parts, to hand to other threads.
 *
 * @throws AppError `btf_invalid`, with `type_id` and `offset` (bytes) in `details`
 */
export function parseBtfParts (bytes: Uint8Array, options: ParseRawBtfOptions = {}): BtfParts {
  const { base, indexNames = true, isValidated = false, allocate = (byteLength: number) => new ArrayBuffer(byteLength) } = options
  const header = parseBtfHeader(bytes, base !== undefined)
  const input: ScanInput = {
    bytes,
    littleEndian: header.byteOrder === 'little',
    header,
    base,
    layout: layoutOf(bytes, header, base),
    startId: base?.endId ?? 1,
    startStrOff: base === undefined ? 0 : base.startStrOff + base.strLen
  }
  const words = wordsOf(bytes, header.typeStart, header.typeEnd, input.littleEndian)
  const scan = scanTypes(input, words)
  if (!isValidated) validateTypes(input, scan, words)
  if (base !== undefined) requireSplit(input, scan)
  const { offsets } = scan
  const names: HashedNames = indexNames ? hashNames(input, scan) : { ids: new Uint32Array(0), hashes: new Uint32Array(0) }
  const buckets = indexNames ? bucketCount(names.ids.length) : 0
  const starts = indexNames ? buckets + 1 : 0
  const index = allocate(4 * (offsets.length + starts + names.ids.length))
  new Uint32Array(index, 0, offsets.length).set(offsets)
  if (indexNames) {
    fillBuckets(
      names,
      new Uint32Array(index, 4 * offsets.length, starts),
      new Uint32Array(index, 4 * (offsets.length + starts), names.ids.length)
    )
  }

  const shape: BtfShape = {
    header,
    startId: input.startId,
    endId: input.startId + offsets.length,
    startStrOff: input.startStrOff,
    pointerSize: options.pointerSize ?? base?.pointerSize ?? longSize(input, scan) ?? 8,
    buckets,
    indexedNames: names.ids.length
  }
  return { bytes: bytes.buffer, byteOffset: bytes.byteOffset, byteLength: bytes.byteLength, index, shape }
}

/**
 * A whole BTF begins its strings with an empty one and has no name offset behind them. Read as split BTF, its names would be pieces of the
 * base's strings. Split BTF takes the empty string from its base (libbpf: btf__new_split).
 */
function requireSplit ({ bytes, header, startStrOff }: ScanInput, { nameOffs }: Scan): void {
  const isLikeWhole = header.strLen > 0 && bytes[header.strStart] === 0 && nameOffs.length > 0
  if (!isLikeWhole || nameOffs.some(offset => offset >>> 0 >= startStrOff)) return
  throw new AppError('btf_invalid',
    "This is a whole BTF, not the split BTF of a module: no type takes a name from the strings behind the base's. " +
    "Give the module's BTF, as /sys/kernel/btf/<module> has it.")
}

/** A split BTF without a layout section of its own uses its base's. */
function layoutOf (bytes: Uint8Array, header: BtfHeader, base: Btf | undefined): LayoutSection | undefined {
  return header.layoutLen === 0 ? base?.layout : { bytes, offset: header.layoutStart, length: header.layoutLen }
}

/**
 * Puts a parsed Btf together from its parts, which another thread may have made. Checks nothing: the parts come from parseBtfParts.
 *
 * @param pages where not all of the bytes are there
 */
export function attachBtf (parts: BtfParts, base: Btf | undefined, pages?: Pages): Btf {
  const { shape } = parts
  const { header, buckets } = shape
  const bytes = new Uint8Array(parts.bytes, parts.byteOffset, parts.byteLength)
  const types = shape.endId - shape.startId
  const hasNames = buckets > 0
  return {
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
      ? {
          starts: new Uint32Array(parts.index, 4 * types, buckets + 1),
          ids: new Uint32Array(parts.index, 4 * (types + buckets + 1), shape.indexedNames)
        }
      : undefined,
    layout: layoutOf(bytes, header, base),
    pages
  }
}

/** The spellings of long that libbpf looks for to learn a pointer's size (determine_ptr_size). */
const LONG_NAMES = new Set([
  'long', 'long int', 'int long', 'unsigned long', 'long unsigned', 'unsigned long int', 'unsigned int long', 'long unsigned int',
  'long int unsigned', 'int unsigned long', 'int long unsigned'
])

/** Whether an integer of this name is as long as a pointer. */
export function isNameOfLong (name: string): boolean { return LONG_NAMES.has(name) }

const LONGEST_LONG_NAME = Math.max(...[...LONG_NAMES].map(({ length }) => length))

function longSize (input: ScanInput, scan: Scan): 4 | 8 | undefined {
  const view = dataView(input.bytes)
  for (const index of scan.named) {
    if (scan.kinds[index] !== BtfKind.INT) continue
    const offset = scan.offsets[index] ?? 0
    const size = view.getUint32(offset + BTF_TYPE.sizeOrType, input.littleEndian)
    if (size !== 4 && size !== 8) continue
    const name = input.header.strStart + view.getUint32(offset + BTF_TYPE.nameOff, input.littleEndian)
    if (input.bytes.subarray(name, name + LONGEST_LONG_NAME + 1).includes(0) && LONG_NAMES.has(stringAt(input.bytes, name))) return size
  }
  return undefined
}
