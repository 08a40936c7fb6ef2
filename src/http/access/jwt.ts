import { hash } from 'node:crypto'
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import { LRUCache } from 'lru-cache'
import { AppError } from '../../errors.js'
import type { Authenticator, Identity } from './identity.js'
import type { KeySource } from './jwks.js'
import { scopesOf, type ScopeMap } from './jwt-scopes.js'

export interface JwtOptions {
  readonly keys: KeySource
  readonly audience: string
  readonly issuer: string
  readonly scopes: ScopeMap
}

/** Asymmetric ones only: with HS256 the public key would be the secret. */
const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA', 'Ed25519']
/** How far clocks may be apart. In seconds. */
const CLOCK_TOLERANCE = 10
const MAX_SUBJECT = 256
/** Verified tokens: a signature takes as long to verify as a held result to answer. */
const MAX_VERIFIED = 10_000
/** So long may a token go on whose key the issuer took back, beyond the age of the keys themselves. */
const VERIFIED_MS = 60_000

/** JSON Web Tokens of one issuer, for our audience: ServiceAccount tokens of Kubernetes, or those of an OAuth server. */
export function createJwtAuthenticator ({ keys, audience, issuer, scopes }: JwtOptions): Authenticator {
  const verified = new LRUCache<string, { readonly identity: Identity, readonly exp: number }>({ max: MAX_VERIFIED, ttl: VERIFIED_MS })

  /** A key that is not there may be a new one of the issuer. */
  const getKey: JWTVerifyGetKey = async (header, token) => {
    try {
      return await (await keys.keys())(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !await keys.renew()) throw error
      return await (await keys.keys())(header, token)
    }
  }

  const findVerified = (key: string): Identity | undefined => {
    const known = verified.get(key)
    return known !== undefined && known.exp > Date.now() / 1000 ? known.identity : undefined
  }

  return {
    identifyAtOnce: token => findVerified(hash('sha256', token, 'base64url')),
    async identify (token) {
      const key = hash('sha256', token, 'base64url')
      const known = findVerified(key)
      if (known !== undefined) return known
      const { payload } = await jwtVerify(token, getKey, {
        algorithms: ALGORITHMS, audience, issuer, clockTolerance: CLOCK_TOLERANCE, requiredClaims: ['exp', 'sub']
      }).catch((error: unknown) => { throw toAppError(error, audience, issuer) })
      const identity = toIdentity(payload, scopes)
      verified.set(key, { identity, exp: payload.exp ?? 0 })
      return identity
    }
  }
}

function toIdentity (payload: JWTPayload, map: ScopeMap): Identity {
  const { sub = '', scope } = payload
  if (sub === '' || sub.length > MAX_SUBJECT || !/^[\x21-\x7e]+$/.test(sub)) {
    throw new AppError('unauthorized', `The token's subject (sub) must be 1 to ${MAX_SUBJECT} printable ASCII characters.`)
  }
  const pod = podOf(payload['kubernetes.io'])
  return { name: sub, key: pod === undefined ? sub : `${sub} ${pod}`, scopes: scopesOf(scope, sub, map) }
}

/** The pod that a ServiceAccount token is bound to. */
function podOf (claim: unknown): string | undefined {
  const pod: unknown = typeof claim === 'object' && claim !== null && 'pod' in claim ? claim.pod : undefined
  return typeof pod === 'object' && pod !== null && 'uid' in pod && typeof pod.uid === 'string' ? pod.uid.slice(0, MAX_SUBJECT) : undefined
}

function toAppError (error: unknown, audience: string, issuer: string): AppError {
  if (error instanceof AppError) return error
  if (!(error instanceof errors.JOSEError)) return new AppError('internal_error', 'A token could not be verified.', {}, { cause: error })
  return new AppError('unauthorized', sentenceFor(error, audience, issuer), {}, { cause: error })
}

/** Tells whoever configures the caller which part of the token is wrong. None of it is secret. */
function sentenceFor (error: errors.JOSEError, audience: string, issuer: string): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired; get a new one.'
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return 'The token is signed with an algorithm that is not taken; sign it with an asymmetric one, such as ES256, RS256 or EdDSA.'
  }
  if (error instanceof errors.JWKSNoMatchingKey) return 'The token is signed with a key that its issuer does not publish.'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The signature of the token is not that of its key over its content.'
  if (error instanceof errors.JWTClaimValidationFailed) {
    switch (error.claim) {
      case 'aud': return `The token is for another audience; get one for ${JSON.stringify(audience)}.`
      case 'iss': return `The token is of another issuer than ${JSON.stringify(issuer)}.`
      case 'nbf': return 'The token is not valid yet; its time nbf is in the future.'
      default: return `The token's claim ${error.claim} is missing or not valid.`
    }
  }
  return 'What the Authorization header has is no JSON Web Token that this service takes.'
}
