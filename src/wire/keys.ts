/** A public Ed25519 key, RFC 8037. `exp` is the second since 1970 from which on nothing that it signed is to be believed. */
export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly alg: 'EdDSA'
  readonly use: 'sig'
  readonly exp?: number
}

/** RFC 7517. */
export interface Jwks { readonly keys: readonly PublicJwk[] }

/** A DSSE envelope. Payload and signatures are base64. */
export interface EnvelopeJson {
  readonly payload: string
  readonly payloadType: string
  readonly signatures: ReadonlyArray<{ readonly keyid: string, readonly sig: string }>
}
