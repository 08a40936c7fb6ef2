import { LRUCache } from 'lru-cache'
import type { Jwks } from '../wire/keys.js'
import type { Signer } from '../attestation/sign.js'
import type { RelocationFacts } from '../attestation/statement.js'
import { ENGINE } from './engine.js'

/** Signed statements about results. */
export interface Attestations {
  /**
   * The DSSE envelope of a result, in base64. Made when it is first asked for, and kept while the result is among those asked for last.
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

/** Results whose envelopes are held, of 2 KB each. Those of others are signed anew. */
const MAX_HELD = 1024

export function createAttestations (signer: Signer): Attestations {
  // By a number, so that an envelope keeps no result in memory.
  const numbers = new WeakMap<object, number>()
  let results = 0
  const held = new LRUCache<number, Map<string, string>>({ max: MAX_HELD })
  return {
    keyId: () => signer.keyId(),
    jwks: signer.jwks,
    of (result, facts) {
      const name = [signer.keyId(), facts.kernel ?? '', facts.findings.verdict, ...facts.findings.assumes].join('\n')
      const number = numbers.get(result) ?? ++results
      const envelopes = held.get(number) ?? new Map<string, string>()
      const known = envelopes.get(name)
      if (known !== undefined) return known
      const [oldest] = envelopes.keys()
      if (envelopes.size >= MAX_NAMES && oldest !== undefined) envelopes.delete(oldest)
      const envelope = Buffer.from(signer.sign({ ...facts, engine: ENGINE })).toString('base64')
      numbers.set(result, number)
      held.set(number, envelopes.set(name, envelope))
      return envelope
    }
  }
}
