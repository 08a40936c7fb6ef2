import { hash } from 'node:crypto'

/** A SHA-256 as the contract writes it: `sha256:` and 64 lower-case hex digits. */
export type Sha256 = `sha256:${string}`

const PREFIX = 'sha256:'
const PATTERN = /^sha256:[0-9a-f]{64}$/

/** The hash of the bytes. About 1.3 GB/s; the event loop may ask it of an object, never of a BTF. */
export function sha256 (bytes: Uint8Array | string): Sha256 { return `${PREFIX}${hash('sha256', bytes, 'hex')}` }

export function isSha256 (text: string): text is Sha256 { return PATTERN.test(text) }

/** The 64 hex digits. */
export function hexOf (sha256: Sha256): string { return sha256.slice(PREFIX.length) }

/** The hash of the bytes as 32 characters below 256, which takes less time than an array of them. */
export function sha256Characters (bytes: Uint8Array): string { return hash('sha256', bytes, 'binary') }
