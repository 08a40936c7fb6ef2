import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Secrets with which files are sealed that this installation makes for itself of content: whoever cannot sign results cannot make such a
 * file either. The first one seals, all are believed. Without any, no such file is made or read.
 *
 * A hash inside of the file would tell damage only: whoever changes a file can hash it anew.
 */
export type SealKeys = readonly Uint8Array[]

/** Bytes of a seal: HMAC-SHA-256, about as fast as SHA-256 alone. */
export const SEAL_SIZE = 32

/** The seal of bytes, for one purpose: a file of another purpose with the same bytes has another seal. */
export function sealOf (key: Uint8Array, purpose: string, bytes: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(`${purpose}\n`).update(bytes).digest()
}

/** Whether one of the secrets gives this seal. */
export function isSealedBy (keys: SealKeys, purpose: string, bytes: Uint8Array, seal: Uint8Array): boolean {
  return seal.length === SEAL_SIZE && keys.some(key => timingSafeEqual(sealOf(key, purpose, bytes), seal))
}
