import {
  applyPatches, relocate as relocateToPatches, type BpfObject, type RelocateOptions, type Relocation as PatchedRelocation
} from '../../src/core/index.js'
import type { Btf } from '../../src/index.js'

/** A relocation, and the object that its patches make. */
export type Relocation = PatchedRelocation & { readonly bytes: Uint8Array | undefined }

/** Relocates, and makes the bytes, which is what most tests look at. */
export function relocate (object: BpfObject | Uint8Array, target: Btf, options: RelocateOptions = {}): Relocation {
  const relocation = relocateToPatches(object, target, options)
  const before = object instanceof Uint8Array ? object : object.bytes
  return { ...relocation, bytes: relocation.patches === undefined ? undefined : applyPatches(before, relocation.patches) }
}
