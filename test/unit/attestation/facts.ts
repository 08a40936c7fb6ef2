import { createSigner, type Signer } from '../../../src/attestation/sign.js'
import { generateSigningKey, parseSigningKeys, type SigningKey } from '../../../src/attestation/signing-keys.js'
import type { RelocationFacts } from '../../../src/attestation/statement.js'
import { sha256 } from '../../../src/store/sha256.js'

export const RESULT = Buffer.from('a relocated object')

export const FACTS: RelocationFacts = {
  resultSha256: sha256(RESULT),
  objectSha256: sha256('object'),
  btfSha256: sha256('BTF'),
  moduleSha256s: [sha256('module a'), sha256('module b')],
  kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic',
  engine: { name: 'corelo', version: '1.0.0', semantics: 'libbpf 1.8' },
  findings: { verdict: 'loads', assumes: ['.rodata.enabled = 0'], counts: { resolved: 12, absent: 3, poisoned: 1 } }
}

export function signingKey (expires?: Date): SigningKey { return parseSigningKeys(generateSigningKey(expires))[0] }

export function signer (...[first = signingKey(), ...others]: SigningKey[]): Signer { return createSigner([first, ...others]) }
