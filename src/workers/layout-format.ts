import type { LayoutFormat } from '../layout/index.js'
import { pathsBehindPointers } from '../members/renames.js'
import { hexOf, sha256Characters, type Sha256 } from '../store/sha256.js'

/** How layout tables of this engine are made. */
export const LAYOUT_FORMAT: LayoutFormat = { hash: sha256Characters, followed: pathsBehindPointers() }

/** What a table says that it is of: the hash of the BTF, a character a byte. */
export function layoutContent (btf: Sha256): string { return Buffer.from(hexOf(btf), 'hex').toString('latin1') }
