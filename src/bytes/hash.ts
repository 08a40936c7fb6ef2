import { at } from './checked.js'

export const FNV_OFFSET_BASIS = 0x811c9dc5
export const FNV_PRIME = 0x01000193

/**
 * FNV-1a over `length` bytes, 32 bits, unsigned. For hash tables only: it resists no attacker, so that buckets are always compared in
 * full.
 */
export function fnv1a (bytes: Uint8Array, offset: number, length: number): number {
  let hash = FNV_OFFSET_BASIS
  for (let i = offset; i < offset + length; i++) hash = Math.imul(hash ^ at(bytes, i), FNV_PRIME)
  return hash >>> 0
}
