import { dataView } from '../bytes/checked.js'
import { AppError } from '../errors.js'

/** Bytes of one patch: an instruction slot, or the two words of `.BTF.ext`'s header that say where its CO-RE part is. */
export const PATCH_SIZE = 8

/**
 * What relocation changes in an object, in the order of the file. Packed, because a large object has 100,000 of them, and a
 * service holds the patches of many objects for many kernels. A 64-bit load is two patches.
 */
export interface Patches {
  /** Where each patch is, in bytes from the start of the file. */
  readonly offsets: Uint32Array
  /** PATCH_SIZE bytes a patch, as they are in the object. */
  readonly before: Uint8Array
  /** PATCH_SIZE bytes a patch, as they are for the kernel. */
  readonly after: Uint8Array
}

/** One patch by itself. */
export interface Patch {
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly before: Uint8Array
  readonly after: Uint8Array
}

/** The patches one by one, as views that copy nothing. */
export function listPatches ({ offsets, before, after }: Patches): Patch[] {
  return Array.from(offsets, (offset, i) => ({
    offset,
    before: before.subarray(i * PATCH_SIZE, (i + 1) * PATCH_SIZE),
    after: after.subarray(i * PATCH_SIZE, (i + 1) * PATCH_SIZE)
  }))
}

/**
 * Makes the relocated object: a copy of the object's bytes with the patches in it.
 *
 * @param allocate gives the memory of the result, of this many bytes. Ordinary memory unless given.
 * @throws AppError `object_invalid` where the bytes are not those of the object that was relocated
 */
export function applyPatches (
  bytes: Uint8Array,
  { offsets, before, after }: Patches,
  allocate = (byteLength: number): Uint8Array => new Uint8Array(byteLength)
): Uint8Array {
  const output = allocate(bytes.length)
  output.set(bytes)
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] ?? 0
    for (let j = 0; j < PATCH_SIZE; j++) {
      if (bytes[offset + j] !== before[i * PATCH_SIZE + j]) throw wrongObject(offset)
      output[offset + j] = after[i * PATCH_SIZE + j] ?? 0
    }
  }
  return output
}

/**
 * The patches that lead from one state of a file to another.
 *
 * @param places byte offsets of the slots that may differ, in any order, repeated or not
 */
export function collectPatches (before: Uint8Array, after: Uint8Array, places: Uint32Array): Patches {
  const [old, now] = [dataView(before), dataView(after)]
  const sorted = places.slice().sort()
  let count = 0
  let last = -1
  for (const place of sorted) {
    if (place === last) continue
    last = place
    if (old.getUint32(place) !== now.getUint32(place) || old.getUint32(place + 4) !== now.getUint32(place + 4)) sorted[count++] = place
  }
  // One buffer for all three: a service holds the patches of thousands of results.
  const buffer = new ArrayBuffer(count * (4 + 2 * PATCH_SIZE))
  const offsets = new Uint32Array(buffer, 0, count)
  offsets.set(sorted.subarray(0, count))
  const slots = (start: number): Uint8Array => new Uint8Array(buffer, start, count * PATCH_SIZE)
  return {
    offsets,
    before: copySlots(before, offsets, slots(4 * count)),
    after: copySlots(after, offsets, slots((4 + PATCH_SIZE) * count))
  }
}

function copySlots (bytes: Uint8Array, offsets: Uint32Array, slots: Uint8Array): Uint8Array {
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] ?? 0
    for (let j = 0; j < PATCH_SIZE; j++) slots[i * PATCH_SIZE + j] = bytes[offset + j] ?? 0
  }
  return slots
}

function wrongObject (offset: number): AppError {
  return new AppError(
    'object_invalid',
    `The bytes at offset ${offset} differ from those of the object that these patches were made for. Apply them to that object.`,
    { offset }
  )
}
