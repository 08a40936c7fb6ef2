import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { AppError } from '../errors.js'
import type { PublicJwk } from '../wire/keys.js'
import { memberOf, parseJson } from './dsse.js'

/** A key whose signatures are believed, until its end. */
export interface TrustedKey {
  readonly kid: string
  readonly key: KeyObject
  /** Undefined: it has no end. */
  readonly expires?: Date
}

const MAX_JWKS = 256 * 1024
const MAX_KEYS = 64
/** 32 bytes in base64url. */
const PUBLIC_KEY = /^[A-Za-z0-9_-]{43}$/

/** The SHA-256 thumbprint of a key: RFC 7638, with the members that RFC 8037 names for Ed25519. */
export function thumbprintOf (x: string): string { return hash('sha256', JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }), 'base64url') }

/** @throws AppError `invalid_request` for a key that is not Ed25519 */
export function toJwk (key: KeyObject, expires?: Date): PublicJwk {
  const { crv, x } = key.export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) {
    throw new AppError('invalid_request',
      `The key is of type ${key.asymmetricKeyType ?? key.type}; only Ed25519 keys sign attestations.`)
  }
  return {
    kty: 'OKP',
    crv,
    x,
    kid: thumbprintOf(x),
    alg: 'EdDSA',
    use: 'sig',
    ...(expires === undefined ? {} : { exp: Math.floor(expires.getTime() / 1000) })
  }
}

/**
 * The keys of a JWKS that verify attestations. Keys of other kinds are left out, as RFC 7517 asks. A key is known by its
 * thumbprint, whatever its `kid` says.
 *
 * @throws AppError `invalid_request` where the text is no JWKS, or has no such key
 */
export function parseJwks (text: string): readonly TrustedKey[] {
  const listed = text.length > MAX_JWKS ? undefined : memberOf(parseJson(text), 'keys')
  if (!Array.isArray(listed)) {
    throw new AppError('invalid_request',
      'The keys are not a JWKS. It is a JSON object with a list "keys", as /.well-known/corelo-keys.json answers.')
  }
  if (listed.length > MAX_KEYS) throw new AppError('invalid_request', `The JWKS has ${listed.length} keys; at most ${MAX_KEYS} are taken.`)
  const keys = listed.flatMap((jwk: unknown) => toTrustedKey(jwk) ?? [])
  if (keys.length === 0) {
    throw new AppError('invalid_request', 'The JWKS has no Ed25519 key (kty OKP, crv Ed25519) to verify signatures with.')
  }
  return keys
}

function toTrustedKey (jwk: unknown): TrustedKey | undefined {
  const [kty, crv, x, use, exp] = ['kty', 'crv', 'x', 'use', 'exp'].map(member => memberOf(jwk, member))
  if (kty !== 'OKP' || crv !== 'Ed25519' || (use !== undefined && use !== 'sig')) return undefined
  if (typeof x !== 'string' || !PUBLIC_KEY.test(x)) return undefined
  // An end that cannot be read is no reason to believe a key for ever.
  const expires = exp === undefined ? undefined : new Date(typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : 0)
  const key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' })
  return { kid: thumbprintOf(x), key, ...(expires === undefined ? {} : { expires }) }
}
