import type { Jwks } from '../attestation/jwk.js'
import type { Signer } from '../attestation/sign.js'
import type { RelocationFacts } from '../attestation/statement.js'
import { ENGINE } from './engine.js'

/** Signed statements about results, each made once. */
export interface Attestations {
  /**
   * The DSSE envelope of a result, in base64. Made when it is first asked for, and kept for as long as the result itself is.
   *
   * @param result what is held of the result: the same one each time
   */
  of(result: object, facts: Omit<RelocationFacts, 'engine'>): string
  /** Name of the key that signs now. */
  keyId(): string
  readonly jwks: Jwks
}

/** Names under which one result is asked for: kernels that share a BTF. More of them take turns. */
const MAX_NAMES = 8

export function createAttestations (signer: Signer): Attestations {
  const held = new WeakMap<object, Map<string, string>>()
  return {
    keyId: () => signer.keyId(),
    jwks: signer.jwks,
    of (result, facts) {
      const name = [signer.keyId(), facts.kernel ?? '', facts.findings.verdict, ...facts.findings.assumes].join('\n')
      const envelopes = held.get(result) ?? new Map<string, string>()
      const known = envelopes.get(name)
      if (known !== undefined) return known
      const [oldest] = envelopes.keys()
      if (envelopes.size >= MAX_NAMES && oldest !== undefined) envelopes.delete(oldest)
      const envelope = Buffer.from(signer.sign({ ...facts, engine: ENGINE })).toString('base64')
      held.set(result, envelopes.set(name, envelope))
      return envelope
    }
  }
}
