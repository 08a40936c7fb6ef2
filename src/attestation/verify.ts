import { verify } from 'node:crypto'
import { sha256, type Sha256 } from '../store/sha256.js'
import { parseEnvelope, preAuthEncoding, type Envelope } from './dsse.js'
import type { TrustedKey } from './jwk.js'
import { attestedModules, parseStatement, PAYLOAD_TYPE, type AttestedFacts } from './statement.js'

/** What was asked for, and must therefore be what is attested. */
export interface AskedRelocation {
  readonly objectSha256: Sha256
  /** The BTF by content. It settles which kernel is meant: the name need not be attested then. */
  readonly btfSha256?: Sha256
  /** The kernel by name: a whole reference, or a bare release. Give it whenever the BTF was not asked for by its hash. */
  readonly kernel?: string
  /** Hashes of module BTFs, where modules were asked for by hash. Undefined: not compared. */
  readonly moduleSha256s?: readonly Sha256[]
}

/** Why an attestation is refused. An operator reads this: each has another remedy. */
export type RefusalCause =
  | 'not_signed'
  | 'malformed'
  | 'unknown_key'
  | 'key_expired'
  | 'bad_signature'
  | 'wrong_result'
  | 'wrong_object'
  | 'wrong_btf'
  | 'wrong_kernel'
  | 'wrong_modules'

export type Verification =
  | { readonly ok: true, readonly keyId: string, readonly facts: AttestedFacts }
  | { readonly ok: false, readonly cause: RefusalCause, readonly message: string }

export interface VerifyOptions {
  /** The envelope as JSON, from the part `attestation` or decoded from the header. Undefined or empty: there was none. */
  readonly envelope: string | undefined
  readonly keys: readonly TrustedKey[]
  /** The patched object as it arrived. */
  readonly result: Uint8Array
  readonly asked: AskedRelocation
  readonly now?: Date
}

/**
 * Whether a result is what was asked for, by the word of a key that is trusted. What the envelope carries is not even parsed
 * before its signature was verified.
 */
export function verifyAttestation ({ envelope: text = '', keys, result, asked, now = new Date() }: VerifyOptions): Verification {
  if (text === '') return refuse('not_signed', 'The result has no attestation.')
  const envelope = parseEnvelope(text)
  if (envelope === undefined) return refuse('malformed', 'The attestation is not a DSSE envelope.')
  if (envelope.signatures.length === 0) return refuse('not_signed', 'The attestation has no signature.')
  const signer = findSigner(envelope, keys, now)
  if (!('kid' in signer)) return signer
  const facts = envelope.payloadType === PAYLOAD_TYPE ? parseStatement(envelope.payload.toString()) : undefined
  if (facts === undefined) return refuse('malformed', 'The attestation is signed, but is not a statement about a relocation.')
  return compare(facts, sha256(result), asked) ?? { ok: true, keyId: signer.kid, facts }
}

function findSigner (envelope: Envelope, keys: readonly TrustedKey[], now: Date): TrustedKey | Refusal {
  const signed = preAuthEncoding(envelope.payloadType, envelope.payload)
  // The key's name is a hint that is not signed. A signature without one may be of any key.
  const pairs = envelope.signatures.flatMap(({ keyid, sig }) =>
    keys.filter(({ kid }) => keyid === '' || keyid === kid).map(key => ({ key, sig })))
  if (pairs.length === 0) {
    return refuse('unknown_key',
      `The attestation is signed with key ${printable(envelope.signatures[0]?.keyid ?? '')}, which is not trusted.`)
  }
  const signers = pairs.filter(({ key, sig }) => verify(null, signed, key.key, sig)).map(({ key }) => key)
  const current = signers.find(({ expires }) => expires === undefined || expires > now)
  if (current !== undefined) return current
  const [expired] = signers
  if (expired === undefined) return refuse('bad_signature', 'The signature of the attestation does not match its content and key.')
  return refuse('key_expired', `The attestation is signed with key ${expired.kid}, which expired at ${expired.expires?.toISOString()}.`)
}

function compare (facts: AttestedFacts, result: Sha256, asked: AskedRelocation): Refusal | undefined {
  if (facts.resultSha256 !== result) {
    return refuse('wrong_result', `The result is ${result}, but the attestation is about ${facts.resultSha256}.`)
  }
  if (facts.objectSha256 !== asked.objectSha256) {
    return refuse('wrong_object', `The attestation is about object ${facts.objectSha256}, not about ${asked.objectSha256}.`)
  }
  if (asked.btfSha256 !== undefined && facts.btfSha256 !== asked.btfSha256) {
    return refuse('wrong_btf', `The attestation is about BTF ${facts.btfSha256}, not about ${asked.btfSha256}.`)
  }
  if (!isAskedKernel(facts.kernel, asked)) {
    const attested = facts.kernel === null ? 'a BTF that the service knows no kernel of' : `kernel ${printable(facts.kernel)}`
    return refuse('wrong_kernel', `The attestation is about ${attested}, not about ${asked.kernel ?? 'a kernel that was asked for'}.`)
  }
  if (asked.moduleSha256s !== undefined && facts.modules !== attestedModules(asked.moduleSha256s)) {
    return refuse('wrong_modules', 'The attestation is about other modules than were asked for.')
  }
  return undefined
}

/** A bare release may be answered by the one kernel that has it; a whole reference only by itself. */
function isAskedKernel (attested: string | null, { kernel, btfSha256 }: AskedRelocation): boolean {
  if (attested === null || kernel === undefined) return btfSha256 !== undefined
  return attested === kernel || (!kernel.includes('/') && attested.endsWith(`/${kernel}`))
}

type Refusal = Extract<Verification, { ok: false }>

function refuse (cause: RefusalCause, message: string): Refusal { return { ok: false, cause, message } }

/** A text of somebody else's for a log line or a terminal. */
function printable (text: string): string { return JSON.stringify(text.slice(0, 600)) }
