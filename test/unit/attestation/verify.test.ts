import { sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { preAuthEncoding, serializeEnvelope } from '../../../src/attestation/dsse.js'
import { parseJwks } from '../../../src/attestation/jwk.js'
import { verifyAttestation, type AskedRelocation, type Verification } from '../../../src/attestation/verify.js'
import { sha256 } from '../../../src/store/sha256.js'
import { assumptionsDigest } from '../../../src/attestation/findings.js'
import { FACTS, RESULT, signer, signingKey } from './facts.js'

const KEY = signingKey()
const TRUSTED = parseJwks(JSON.stringify(signer(KEY).jwks))
const ENVELOPE = signer(KEY).sign(FACTS)
const ASKED: AskedRelocation = { objectSha256: FACTS.objectSha256, kernel: FACTS.kernel ?? '' }

interface Case {
  readonly envelope?: string | undefined
  readonly result?: Uint8Array
  readonly asked?: AskedRelocation
  readonly keys?: typeof TRUSTED
  readonly now?: Date
}

function check (changed: Case = {}): Verification {
  return verifyAttestation({ envelope: ENVELOPE, keys: TRUSTED, result: RESULT, asked: ASKED, ...changed })
}

function causeOf (verification: Verification): string { return verification.ok ? 'ok' : verification.cause }

/** The envelope with something changed in it after it was signed. */
function tampered (
  change: (envelope: { payload: string, payloadType: string, signatures: Array<{ keyid?: string, sig: string }> }) => void
): string {
  const envelope = JSON.parse(ENVELOPE)
  change(envelope)
  return JSON.stringify(envelope)
}

/** The signed payload as text, with something replaced. */
function rewritten (payload: string, from: string, to: string): string {
  return Buffer.from(Buffer.from(payload, 'base64').toString().replace(from, to)).toString('base64')
}

/** A payload of any kind, signed as it is. */
function signed (payload: string, payloadType = 'application/vnd.in-toto+json'): string {
  const bytes = Buffer.from(payload)
  return serializeEnvelope({
    payloadType, payload: bytes, signatures: [{ keyid: KEY.jwk.kid, sig: sign(null, preAuthEncoding(payloadType, bytes), KEY.privateKey) }]
  })
}

const statement = (): string => Buffer.from((JSON.parse(ENVELOPE) as { payload: string }).payload, 'base64').toString()

describe('verifyAttestation', () => {
  it('accepts what was asked for, and tells who signed and what is attested', () => {
    expect(check()).toMatchObject({
      ok: true, keyId: KEY.jwk.kid, facts: { btfSha256: FACTS.btfSha256, kernel: FACTS.kernel, engine: FACTS.engine }
    })
  })

  it.each<[string, Partial<Case>]>([
    ['a bare release that the one kernel with it answers', { asked: { ...ASKED, kernel: '5.4.0-42-generic' } }],
    ['BTF by its hash', { asked: { objectSha256: FACTS.objectSha256, btfSha256: FACTS.btfSha256 } }],
    [
      'BTF by its hash that the service has no name for',
      { asked: { ...ASKED, btfSha256: FACTS.btfSha256 }, envelope: signer(KEY).sign({ ...FACTS, kernel: null }) }
    ],
    ['modules by their hashes', { asked: { ...ASKED, moduleSha256s: FACTS.moduleSha256s } }],
    ['a signature without the name of its key', { envelope: tampered(envelope => { delete envelope.signatures[0]?.keyid }) }],
    [
      'one good signature among others',
      { envelope: tampered(envelope => { envelope.signatures.unshift({ keyid: 'other', sig: 'AAAA' }) }) }
    ]
  ])('accepts %s', (_what, changed) => {
    expect(check(changed)).toMatchObject({ ok: true })
  })

  it.each<[string, string, RegExp, Partial<Case>]>([
    ['no attestation', 'not_signed', /no attestation/, { envelope: undefined }],
    ['an empty one', 'not_signed', /no attestation/, { envelope: '' }],
    ['an envelope without signatures', 'not_signed', /no signature/, { envelope: tampered(envelope => { envelope.signatures = [] }) }],
    ['what is no envelope', 'malformed', /not a DSSE envelope/, { envelope: 'x' }],
    ['an unknown key', 'unknown_key', /is not trusted/, { envelope: signer().sign(FACTS) }],
    ['an unknown key that calls itself by the name of a trusted one', 'bad_signature', /signature/, {
      envelope: signer().sign(FACTS).replace(/"keyid":"[^"]*"/, `"keyid":"${KEY.jwk.kid}"`)
    }],
    ['a changed byte of the result', 'wrong_result', /the attestation is about/, { result: Buffer.from('A relocated object') }],
    ["another object's result", 'wrong_object', /object/, { asked: { ...ASKED, objectSha256: sha256('another object') } }],
    [
      "another kernel's result", 'wrong_kernel', /"ubuntu\/20.04.*not about ubuntu\/22.04/,
      { asked: { ...ASKED, kernel: 'ubuntu/22.04/x86_64/5.4.0-42-generic' } }
    ],
    ['a release that only ends like the asked one', 'wrong_kernel', /kernel/, { asked: { ...ASKED, kernel: '42-generic' } }],
    [
      'a bare release where a whole reference was asked for', 'wrong_kernel', /kernel/,
      { envelope: signer(KEY).sign({ ...FACTS, kernel: '5.4.0-42-generic' }) }
    ],
    [
      'BTF that nobody vouches for, where a kernel was asked for by name', 'wrong_kernel', /knows no kernel/,
      { envelope: signer(KEY).sign({ ...FACTS, kernel: null }) }
    ],
    ['any kernel where none was asked for', 'wrong_kernel', /kernel/, { asked: { objectSha256: FACTS.objectSha256 } }],
    ['another BTF', 'wrong_btf', /BTF/, { asked: { ...ASKED, btfSha256: sha256('another BTF') } }],
    ['modules in another order', 'wrong_modules', /modules/, { asked: { ...ASKED, moduleSha256s: FACTS.moduleSha256s.toReversed() } }],
    ['fewer modules', 'wrong_modules', /modules/, { asked: { ...ASKED, moduleSha256s: [] } }],
    ['a subject that was put in later', 'bad_signature', /signature/, {
      result: Buffer.from('evil'),
      envelope: tampered(
        envelope => { envelope.payload = rewritten(envelope.payload, FACTS.resultSha256.slice(7), sha256('evil').slice(7)) }
      )
    }],
    [
      'a kernel that was put in later', 'bad_signature', /signature/,
      { envelope: tampered(envelope => { envelope.payload = rewritten(envelope.payload, '20.04', '22.04') }) }
    ],
    [
      'a payload type that was put in later', 'bad_signature', /signature/,
      { envelope: tampered(envelope => { envelope.payloadType = 'text/plain' }) }
    ],
    [
      'a signature cut short', 'bad_signature', /signature/,
      { envelope: tampered(envelope => { envelope.signatures[0] = { keyid: KEY.jwk.kid, sig: 'AAAA' } }) }
    ],
    ['a signed text of another type', 'malformed', /not a statement/, { envelope: signed(statement(), 'text/plain') }],
    [
      'a signed statement about something else', 'malformed', /not a statement/,
      { envelope: signed(statement().replace('urn:corelo:relocation:v1', 'https://slsa.dev/provenance/v1')) }
    ],
    [
      'a signed statement of another version', 'malformed', /not a statement/,
      { envelope: signed(statement().replace('Statement/v1', 'Statement/v2')) }
    ],
    [
      'a signed statement with two subjects', 'malformed', /not a statement/,
      { envelope: signed(statement().replace('"subject":[', '"subject":[{"name":"a"},')) }
    ],
    [
      'a signed statement without object', 'malformed', /not a statement/,
      { envelope: signed(statement().replace('"object":', '"Object":')) }
    ],
    ['a signed text that is no JSON', 'malformed', /not a statement/, { envelope: signed('{') }]
  ])('refuses %s', (_what, cause, message, changed) => {
    const verification = check(changed)
    expect(causeOf(verification)).toBe(cause)
    expect(verification).toMatchObject({ message: expect.stringMatching(message) })
  })

  it('refuses every single changed byte of the payload and of the signature', () => {
    const { payload, signatures: [signature] } = JSON.parse(ENVELOPE) as { payload: string, signatures: Array<{ sig: string }> }
    const flip = (base64: string, index: number): string => {
      const bytes = Buffer.from(base64, 'base64')
      bytes[index] = (bytes[index] ?? 0) ^ 1
      return bytes.toString('base64')
    }
    for (let i = 0; i < Buffer.from(payload, 'base64').length; i++) {
      expect(causeOf(check({ envelope: tampered(envelope => { envelope.payload = flip(payload, i) }) }))).toBe('bad_signature')
    }
    for (let i = 0; i < 64; i++) {
      expect(causeOf(check({
        envelope: tampered(envelope => { envelope.signatures = [{ keyid: KEY.jwk.kid, sig: flip(signature?.sig ?? '', i) }] })
      }))).toBe('bad_signature')
    }
  })

  it('refuses a key from its end on', () => {
    const key = signingKey(new Date('2100-01-01T00:00:00Z'))
    const keys = parseJwks(JSON.stringify(signer(key).jwks))
    const envelope = signer(key).sign(FACTS)
    expect(check({ keys, envelope, now: new Date('2099-12-31T23:59:59Z') })).toMatchObject({ ok: true })
    const late = check({ keys, envelope, now: new Date('2100-01-01T00:00:00Z') })
    expect(late).toMatchObject({ ok: false, cause: 'key_expired', message: expect.stringContaining('2100-01-01') })
  })

  it('holds a signature to be wrong, and not its key to be old, where both are so', () => {
    const key = signingKey(new Date('2100-01-01T00:00:00Z'))
    const keys = parseJwks(JSON.stringify(signer(key).jwks))
    const envelope = signer().sign(FACTS).replace(/"keyid":"[^"]*"/, `"keyid":"${key.jwk.kid}"`)
    expect(causeOf(check({ keys, envelope, now: new Date('2101-01-01') }))).toBe('bad_signature')
  })

  it('compares more modules than are listed by the hash of their list', () => {
    const moduleSha256s = Array.from({ length: 20 }, (_, i) => sha256(`module ${i}`))
    const envelope = signer(KEY).sign({ ...FACTS, moduleSha256s })
    expect(check({ envelope, asked: { ...ASKED, moduleSha256s } })).toMatchObject({ ok: true })
    expect(causeOf(check({ envelope, asked: { ...ASKED, moduleSha256s: moduleSha256s.slice(1) } }))).toBe('wrong_modules')
    expect(
      causeOf(check({ envelope, asked: { ...ASKED, moduleSha256s: [moduleSha256s[1] ?? FACTS.btfSha256, ...moduleSha256s.slice(1)] } }))
    ).toBe('wrong_modules')
  })

  it('verifies results of before and after a rotation while both keys are published', () => {
    const next = signingKey()
    const rotated = signer(next, KEY)
    const keys = parseJwks(JSON.stringify(rotated.jwks))
    expect(check({ keys })).toMatchObject({ ok: true, keyId: KEY.jwk.kid })
    expect(check({ keys, envelope: rotated.sign(FACTS) })).toMatchObject({ ok: true, keyId: next.jwk.kid })
    expect(causeOf(check({ keys: parseJwks(JSON.stringify(signer(next).jwks)) }))).toBe('unknown_key')
  })
})

describe('parseJwks', () => {
  const [jwk] = signer(KEY).jwks.keys

  it('leaves out keys that sign something else', () => {
    const keys = parseJwks(JSON.stringify({
      keys: [{ kty: 'RSA', n: 'x', e: 'AQAB' }, { ...jwk, use: 'enc' }, { ...jwk, crv: 'X25519' }, { ...jwk, x: 'short' }, null, jwk]
    }))
    expect(keys.map(({ kid }) => kid)).toEqual([KEY.jwk.kid])
  })

  it('knows a key by its thumbprint, whatever it calls itself', () => {
    expect(parseJwks(JSON.stringify({ keys: [{ ...jwk, kid: 'other' }] }))[0]?.kid).toBe(KEY.jwk.kid)
  })

  it('holds a key with an end that cannot be read to be past it', () => {
    expect(causeOf(check({ keys: parseJwks(JSON.stringify({ keys: [{ ...jwk, exp: 'tomorrow' }] })) }))).toBe('key_expired')
  })

  it.each([
    ['no JSON', '{'], ['a list', '[]'], ['no keys', '{"keys":[]}'], ['only other keys', '{"keys":[{"kty":"RSA"}]}'],
    ['too many', JSON.stringify({ keys: Array(65).fill(jwk) })]
  ])('refuses %s', (_what, text) => {
    expect(() => parseJwks(text)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })

  it('says the verdict, what it assumes and the counts, a long list by its hash', () => {
    expect(check()).toMatchObject({
      ok: true,
      facts: { findings: { verdict: 'loads', assumes: ['.rodata.enabled = 0'], counts: { resolved: 12, absent: 3, poisoned: 1 } } }
    })
    const assumes = Array.from({ length: 200 }, (_, i) => `.rodata.switch_${i} = 0`)
    const facts = { ...FACTS, findings: { ...FACTS.findings, verdict: 'fails' as const, assumes } }
    const envelope = signer(KEY).sign(facts)
    expect(envelope.length).toBeLessThan(4096)
    expect(check({ envelope })).toMatchObject({
      ok: true, facts: { findings: { verdict: 'fails', assumes: undefined, assumesSha256: assumptionsDigest(assumes) } }
    })
  })
})
