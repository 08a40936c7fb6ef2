import { attachBtf, type BtfParts } from '../btf/parse.js'
import type { SealKeys } from '../store/seal.js'
import type { Sha256 } from '../store/sha256.js'
import { lookIntoTable, tableOf } from './kernel-layouts.js'
import { isWorthIndex, readIndexParts, sealIndex } from './prepare-btf.js'

/** What is lacking beside the BTF of a kernel: where it is undefined there is no need of it, or no way to make it. */
export interface LackingBeside {
  readonly index: Uint8Array | undefined
  readonly layout: Uint8Array | undefined
}

/** Where the files of a kernel are that are kept beside its BTF, and what its index is sealed with. */
export interface BesideBtf {
  readonly indexPath: string
  readonly layoutPath: string
  /** Without any, no index is made. */
  readonly sealKeys: SealKeys
}

/**
 * Makes what is kept beside the BTF of a kernel that has been parsed, where it is missing, damaged or outdated.
 *
 * @param parts whose index has room behind it for the rest of its file (indexTailBytes): its memory is the file
 */
export function makeBeside (hash: Sha256, parts: BtfParts, { indexPath, layoutPath, sealKeys }: BesideBtf): LackingBeside {
  const bytes = new Uint8Array(parts.bytes, parts.byteOffset, parts.byteLength)
  const isSealed = isWorthIndex(bytes, sealKeys) && lacksIndex(bytes, hash, indexPath, sealKeys)
  if (isSealed) sealIndex(parts, hash, sealKeys)
  return {
    index: isSealed ? new Uint8Array(parts.index) : undefined,
    layout: lookIntoTable(hash, layoutPath, table => table.isWhole()) === true ? undefined : makeTable(hash, parts)
  }
}

/** One that is there and cannot be read is left alone. */
function lacksIndex (bytes: Uint8Array, hash: Sha256, path: string, sealKeys: SealKeys): boolean {
  const kept = readIndexParts(bytes, hash, path, sealKeys, byteLength => new Uint8Array(byteLength))
  return kept !== undefined && 'state' in kept && kept.state !== 'unreadable'
}

/** Types that refer to each other without end make BTF that can be parsed, and of which there is no table. */
function makeTable (hash: Sha256, parts: BtfParts): Uint8Array | undefined {
  try {
    return tableOf(attachBtf(parts, undefined), hash)
  } catch {
    return undefined
  }
}
