import { BPF_CORE_RELO, BTF_EXT_HEADER } from '../btf/layout.js'
import type { BpfObject } from './object.js'

/**
 * Whether an object was relocated before, by us or by another tool that empties its list of CO-RE records: the list has no bytes by its
 * header, and yet records stand where it began. What a compiler writes without any record ends there. Such an object is for the kernel
 * that it was relocated for, whichever that was.
 */
export function isAlreadyRelocated ({ ext }: BpfObject): boolean {
  if (ext === undefined || ext.coreRelo !== undefined) return false
  const { view, littleEndian, bytes } = ext
  const headerSize = view.getUint32(BTF_EXT_HEADER.hdrLen, littleEndian)
  if (headerSize < BTF_EXT_HEADER.CORE_SIZE) return false
  const start = headerSize + view.getUint32(BTF_EXT_HEADER.coreReloOff, littleEndian)
  // A list begins with the size of its records.
  return start + 4 + BPF_CORE_RELO.SIZE <= bytes.length && view.getUint32(start, littleEndian) >= BPF_CORE_RELO.SIZE
}
