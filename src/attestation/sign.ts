import { sign } from 'node:crypto'
import { AppError } from '../errors.js'
import { preAuthEncoding, serializeEnvelope } from './dsse.js'
import type { Jwks } from '../wire/keys.js'
import { sealKeyOf, type SigningKey } from './signing-keys.js'
import { PAYLOAD_TYPE, serializeStatement, type RelocationFacts } from './statement.js'

/** Signs what the service says of its results. */
export interface Signer {
  /**
   * A DSSE envelope around an in-toto statement, as JSON. Takes 50 µs.
   *
   * @throws AppError `internal_error` where every key has reached its end
   */
  sign(facts: RelocationFacts): string
  /** Name of the key that signs now. It changes when the first one reaches its end. */
  keyId(): string
  /** Secrets that follow from the keys, in their order: for what only those may make who may sign. 32 bytes each. */
  readonly sealKeys: readonly Uint8Array[]
  /** All keys, those past their end too: who verifies then learns that a key is old, not that it is unknown. */
  readonly jwks: Jwks
}

/** The first key that has not reached its end signs; the others are published. */
export function createSigner (keys: readonly [SigningKey, ...SigningKey[]]): Signer {
  const current = (): SigningKey => {
    const now = Date.now()
    const key = keys.find(({ expires }) => expires === undefined || expires.getTime() > now)
    if (key === undefined) {
      throw new AppError('internal_error',
        'Every signing key has reached its end; add one with corelo keys rotate, and start the service anew.')
    }
    return key
  }
  return {
    sign (facts) {
      const { privateKey, jwk } = current()
      const payload = Buffer.from(serializeStatement(facts))
      const sig = sign(null, preAuthEncoding(PAYLOAD_TYPE, payload), privateKey)
      return serializeEnvelope({ payloadType: PAYLOAD_TYPE, payload, signatures: [{ keyid: jwk.kid, sig }] })
    },
    keyId: () => current().jwk.kid,
    sealKeys: keys.map(({ privateKey }) => sealKeyOf(privateKey)),
    jwks: { keys: keys.map(({ jwk }) => jwk) }
  }
}
