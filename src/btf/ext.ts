import { dataView, isInside } from '../bytes/checked.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { createNameReader, type NameReader } from '../bytes/strings.js'
import { findString, isEmptyString, type Btf } from './btf.js'
import { BTF_MAGIC } from './constants.js'
import { BPF_CORE_RELO, BPF_FUNC_INFO, BPF_LINE_INFO, BTF_EXT_HEADER, BTF_EXT_SEC } from './layout.js'

/** The records of one ELF section in one subsection. */
export interface BtfExtBlock {
  readonly sectionName: string
  /** Byte offset of the first record from the start of `.BTF.ext`. */
  readonly offset: number
  readonly count: number
}

export interface BtfExtSubsection {
  readonly name: SubsectionName
  /** Bytes from one record to the next; a record may be longer than the part that we read. */
  readonly recordSize: number
  readonly blocks: readonly BtfExtBlock[]
}

export type SubsectionName = 'func_info' | 'line_info' | 'core_relo'

export interface BtfExt {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly littleEndian: boolean
  readonly funcInfo: BtfExtSubsection | undefined
  readonly lineInfo: BtfExtSubsection | undefined
  /** Undefined where the object has no CO-RE relocations: a header of fewer than 32 bytes, or a length of 0. */
  readonly coreRelo: BtfExtSubsection | undefined
}

/** One CO-RE record. */
export interface CoreRelo {
  /** Bytes from the start of the ELF section. */
  readonly insnOff: number
  /** Id in the object's own BTF; not checked yet. */
  readonly typeId: number
  readonly accessStrOff: number
  /** 0 to 12 in valid records. */
  readonly kind: number
}

/**
 * Reads `.BTF.ext` by libbpf's rules (btf_ext_parse_hdr, btf_ext_parse_sec_info): every offset, record size and block is
 * checked, and anything wrong is an error, where libbpf would warn and load the object unrelocated.
 *
 * @param btf the object's own BTF, whose strings name the sections
 * @throws AppError `object_invalid`, with the subsection and the byte offset in `details`
 */
export function parseBtfExt (bytes: Uint8Array, btf: Btf): BtfExt {
  const view = dataView(bytes)
  const { littleEndian } = btf
  if (bytes.length < 8) throw invalid(`.BTF.ext has ${bytes.length} bytes, too few for a header.`, 0)
  const magic = view.getUint16(BTF_EXT_HEADER.magic, littleEndian)
  if (magic !== BTF_MAGIC) {
    throw invalid(magic === 0x9feb
      ? '.BTF.ext and .BTF have different byte orders.'
      : `.BTF.ext starts with 0x${magic.toString(16)} instead of 0xeb9f.`, 0)
  }
  const version = view.getUint8(BTF_EXT_HEADER.version)
  const flags = view.getUint8(BTF_EXT_HEADER.flags)
  if (version !== 1) throw invalid(`.BTF.ext has version ${version}; only 1 is known.`, BTF_EXT_HEADER.version)
  if (flags !== 0) throw invalid(`.BTF.ext has flags 0x${flags.toString(16)}; none are known.`, BTF_EXT_HEADER.flags)
  const hdrLen = view.getUint32(BTF_EXT_HEADER.hdrLen, littleEndian)
  if (bytes.length < hdrLen) {
    throw invalid(`The .BTF.ext header has ${hdrLen} bytes, but the section only ${bytes.length}.`, BTF_EXT_HEADER.hdrLen)
  }
  if (bytes.length === hdrLen) throw invalid('.BTF.ext has a header and no data.', BTF_EXT_HEADER.hdrLen)
  if (hdrLen < BTF_EXT_HEADER.MIN_SIZE) {
    throw invalid(`The .BTF.ext header has ${hdrLen} bytes; the shortest has ${BTF_EXT_HEADER.MIN_SIZE}.`, BTF_EXT_HEADER.hdrLen)
  }

  const strings = btf.bytes.subarray(btf.strStart, btf.strStart + btf.strLen)
  const names = createNameReader(strings, (problem, offset) => invalid(
    `.BTF.ext names its sections by ${problem}, at string offset ${offset}.`,
    0
  ))
  const read = (name: SubsectionName, offsetField: number, minRecordSize: number): BtfExtSubsection | undefined => {
    const offset = view.getUint32(offsetField, littleEndian)
    const length = view.getUint32(offsetField + 4, littleEndian)
    return readSubsection({ bytes, view, btf, names, name, hdrLen, offset, length, minRecordSize })
  }
  return {
    bytes,
    view,
    littleEndian,
    funcInfo: read('func_info', BTF_EXT_HEADER.funcInfoOff, BPF_FUNC_INFO.SIZE),
    lineInfo: read('line_info', BTF_EXT_HEADER.lineInfoOff, BPF_LINE_INFO.SIZE),
    coreRelo: hdrLen >= BTF_EXT_HEADER.CORE_SIZE ? read('core_relo', BTF_EXT_HEADER.coreReloOff, BPF_CORE_RELO.SIZE) : undefined
  }
}

/** The record at `index` of a block of the core_relo subsection. */
export function readCoreRelo (ext: BtfExt, subsection: BtfExtSubsection, block: BtfExtBlock, index: number): CoreRelo {
  const at = block.offset + index * subsection.recordSize
  const word = (offset: number): number => ext.view.getUint32(at + offset, ext.littleEndian)
  return {
    insnOff: word(BPF_CORE_RELO.insnOff),
    typeId: word(BPF_CORE_RELO.typeId),
    accessStrOff: word(BPF_CORE_RELO.accessStrOff),
    kind: word(BPF_CORE_RELO.kind)
  }
}

interface SubsectionInput {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly btf: Btf
  readonly names: NameReader
  readonly name: SubsectionName
  readonly hdrLen: number
  readonly offset: number
  readonly length: number
  readonly minRecordSize: number
}

function readSubsection (input: SubsectionInput): BtfExtSubsection | undefined {
  const { bytes, view, btf, name, minRecordSize } = input
  const { littleEndian } = btf
  if (input.length === 0) return undefined
  const start = input.hdrLen + input.offset
  const end = start + input.length
  const fail = (message: string, offset: number): AppError => invalid(`.BTF.ext ${name}: ${message}`, offset, name)
  if (input.offset % 4 !== 0) throw fail(`it starts at ${input.offset}, which is not a multiple of 4.`, start)
  if (end > bytes.length) throw fail(`it ends at ${end}, past the section of ${bytes.length} bytes.`, start)
  if (input.length < 4) throw fail(`it has ${input.length} bytes, too few for a record size.`, start)
  const recordSize = view.getUint32(start, littleEndian)
  // libbpf swaps foreign-order records in place and can do so only when it knows all of them; we keep its rule.
  const isRefused = littleEndian ? recordSize < minRecordSize || recordSize % 4 !== 0 : recordSize !== minRecordSize
  if (isRefused) {
    throw fail(
      `its records have ${recordSize} bytes; they need ` +
      `${littleEndian ? 'at least' : 'exactly'} ${minRecordSize}${littleEndian ? ' and a multiple of 4' : ''}.`,
      start
    )
  }

  const blocks: BtfExtBlock[] = []
  let at = start + 4
  if (at === end) throw fail('it has a record size and no records.', at)
  while (at < end) {
    if (!isInside(at, BTF_EXT_SEC.SIZE, end)) throw fail(`it ends ${end - at} bytes into a block's header.`, at)
    const nameOff = view.getUint32(at + BTF_EXT_SEC.secNameOff, littleEndian)
    const count = view.getUint32(at + BTF_EXT_SEC.numInfo, littleEndian)
    const offset = at + BTF_EXT_SEC.SIZE
    if (count === 0) throw fail('a block has no records.', at)
    if (!isInside(offset, count * recordSize, end)) {
      throw fail(`a block of ${count} records needs ${count * recordSize} bytes, but only ${end - offset} follow.`, at)
    }
    blocks.push({ sectionName: sectionName(input, nameOff, at), offset, count })
    at = offset + count * recordSize
  }
  if (name === 'core_relo') {
    const total = blocks.reduce((sum, block) => sum + block.count, 0)
    if (total > LIMITS.coreRelocations) throw fail(`it has ${total} records; at most ${LIMITS.coreRelocations} are read.`, start)
  }
  return { name, recordSize, blocks }
}

/** Names of func_info and line_info blocks are only shown, so that a bad one does no harm; a record that patches needs its section. */
function sectionName (input: SubsectionInput, nameOff: number, at: number): string {
  const place = findString(input.btf, nameOff)
  if (input.name !== 'core_relo') return place === undefined ? '' : input.names.read(nameOff)
  if (place === undefined) {
    throw invalid(`.BTF.ext core_relo: a block's section name is at string offset ${nameOff}, past the strings.`, at, input.name)
  }
  if (isEmptyString(input.btf, nameOff)) throw invalid('.BTF.ext core_relo: a block has an empty section name.', at, input.name)
  return input.names.read(nameOff)
}

function invalid (message: string, offset: number, subsection?: SubsectionName): AppError {
  return new AppError('object_invalid', message, { section: '.BTF.ext', offset, ...(subsection === undefined ? {} : { subsection }) })
}
