import { createPrivateKey, createPublicKey, generateKeyPairSync, hkdfSync, type KeyObject } from 'node:crypto'
import { AppError } from '../errors.js'
import type { PublicJwk } from '../wire/keys.js'
import { toJwk } from './jwk.js'

/** A private key, and what is published of it. */
export interface SigningKey {
  readonly privateKey: KeyObject
  readonly jwk: PublicJwk
  /** From then on nobody believes its signatures. Undefined: it has no end. */
  readonly expires?: Date
  /** Whether the file says that it signed once and another took its place. A key that has not signed yet says nothing. */
  readonly isRetired?: boolean
}

/** The end of a block. The lines before one belong to it: RFC 7468 lets explanations stand there, and a key's end is one. */
const BLOCK_END = /(?<=^-----END [A-Z0-9 ]+-----)/m
const BEGIN = '-----BEGIN '
const EXPIRES = /^Expires: (.+)$/m
const RETIRED = /^Retired: /m

/**
 * The Ed25519 private keys (PKCS #8 PEM, as `openssl genpkey -algorithm ed25519` and `corelo keys generate` write them) of a
 * file, in its order. A line `Expires: <RFC 3339 time>` before a key gives its end, and a line `Retired: yes` says that it signed
 * before the key that signs now. Only `corelo keys rotate` and `show` ask for the latter; services pass it over.
 *
 * @throws AppError `invalid_request`
 */
export function parseSigningKeys (pem: string): readonly [SigningKey, ...SigningKey[]] {
  const [first, ...others] = pem.split(BLOCK_END).filter(block => block.includes(BEGIN)).map(parseBlock)
  if (first === undefined) {
    throw new AppError('invalid_request',
      'It has no private key: it must have Ed25519 keys in PEM (BEGIN PRIVATE KEY), such as corelo keys generate writes.')
  }
  return [first, ...others]
}

/** A new key as a file has it. */
export function generateSigningKey (expires?: Date): string { return formatSigningKey(generateKeyPairSync('ed25519').privateKey, expires) }

export function formatSigningKey (privateKey: KeyObject, expires?: Date, isRetired = false): string {
  const { kid } = toJwk(createPublicKey(privateKey))
  const end = expires === undefined ? '' : `Expires: ${expires.toISOString()}\n`
  const mark = isRetired ? 'Retired: yes\n' : ''
  return `Key: ${kid}\n${end}${mark}${privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()}`
}

/** A secret that follows from a private key and tells nothing of it (HKDF, RFC 5869). 32 bytes. */
export function sealKeyOf (privateKey: KeyObject): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', privateKey.export({ type: 'pkcs8', format: 'der' }), '', 'corelo seal', 32))
}

function parseBlock (block: string): SigningKey {
  const begin = block.indexOf(BEGIN)
  const lines = block.slice(0, begin)
  const expires = parseExpiry(lines)
  const privateKey = parsePrivateKey(block.slice(begin))
  return {
    privateKey,
    jwk: toJwk(createPublicKey(privateKey), expires),
    ...(expires === undefined ? {} : { expires }),
    ...(RETIRED.test(lines) ? { isRetired: true } : {})
  }
}

function parsePrivateKey (pem: string): KeyObject {
  if (pem.startsWith(`${BEGIN}PUBLIC KEY`)) {
    throw new AppError('invalid_request', 'It has a public key (BEGIN PUBLIC KEY), with which nothing can be signed; give the private one.')
  }
  try {
    return createPrivateKey(pem)
  } catch (error) {
    throw new AppError('invalid_request',
      'It has a private key that cannot be read; it must be an Ed25519 key in PEM, not encrypted.', {}, { cause: error })
  }
}

function parseExpiry (text: string): Date | undefined {
  const [, given] = EXPIRES.exec(text) ?? []
  if (given === undefined) return undefined
  const expires = new Date(given.trim())
  if (Number.isNaN(expires.getTime())) {
    throw new AppError('invalid_request', `The line "Expires: ${given}" gives no time; write it as 2027-01-31T00:00:00Z.`)
  }
  return expires
}
