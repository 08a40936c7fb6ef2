import { findString } from '../btf/btf.js'
import { BPF_CORE_RELO, BTF_EXT_HEADER, BTF_EXT_SEC } from '../btf/layout.js'
import { isInside } from '../bytes/checked.js'
import type { BpfObject } from './object.js'

/**
 * Whether an object was relocated before, by us or by another tool that empties its list of CO-RE records: the list has no bytes by its
 * header, and yet records stand where it began. What a compiler writes without any record ends there. Such an object is for the kernel
 * that it was relocated for, whichever that was.
 */
export function isAlreadyRelocated ({ ext, btf }: BpfObject): boolean {
  if (ext === undefined || ext.coreRelo !== undefined) return false
  const { view, littleEndian, bytes } = ext
  const word = (at: number): number => view.getUint32(at, littleEndian)
  const headerSize = word(BTF_EXT_HEADER.hdrLen)
  if (headerSize < BTF_EXT_HEADER.CORE_SIZE) return false
  const offset = word(BTF_EXT_HEADER.coreReloOff)
  // An empty list may also be put before or between the others, whose records are then not its own.
  const isAnothers = [BTF_EXT_HEADER.funcInfoOff, BTF_EXT_HEADER.lineInfoOff]
    .some(field => offset >= word(field) && offset < word(field) + word(field + 4))
  const start = headerSize + offset
  const block = start + 4
  if (isAnothers || block + BTF_EXT_SEC.SIZE > bytes.length) return false
  // A list begins with the size of its records, and a section with how many.
  const recordSize = word(start)
  const count = word(block + BTF_EXT_SEC.numInfo)
  return recordSize >= BPF_CORE_RELO.SIZE && recordSize % 4 === 0 && count > 0 &&
    findString(btf, word(block + BTF_EXT_SEC.secNameOff)) !== undefined &&
    isInside(block + BTF_EXT_SEC.SIZE, count * recordSize, bytes.length)
}
