import { execFileSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dsse } from '@sigstore/core'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseEnvelope, preAuthEncoding } from '../../../src/attestation/dsse.js'
import { FACTS, signer, signingKey } from './facts.js'

describe('preAuthEncoding', () => {
  it('gives the example of the DSSE specification', () => {
    // https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md#test-vectors
    expect(preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    )
  })

  it.each([
    ['nothing', ''], ['text', '{"a":1}'], ['more bytes than characters', 'ü€𝄞'], ['line ends and spaces', ' \r\n 5 x ']
  ])('is what sigstore makes of %s', (_what, payload) => {
    const bytes = Buffer.from(payload)
    expect(preAuthEncoding('application/vnd.in-toto+json', bytes)).toEqual(dsse.preAuthEncoding('application/vnd.in-toto+json', bytes))
  })

  it('counts bytes of the type, not characters', () => {
    expect(preAuthEncoding('tü', Buffer.from('x')).toString()).toBe('DSSEv1 3 tü 1 x')
  })
})

describe('an attestation', () => {
  it('is an in-toto statement in a DSSE envelope', () => {
    const { payload, payloadType, signatures } = JSON.parse(
      signer().sign(FACTS)
    ) as { payload: string, payloadType: string, signatures: unknown[] }
    expect(payloadType).toBe('application/vnd.in-toto+json')
    expect(signatures).toHaveLength(1)
    expect(JSON.parse(Buffer.from(payload, 'base64').toString())).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'relocated.bpf.o', digest: { sha256: FACTS.resultSha256.slice(7) } }],
      predicateType: 'urn:corelo:relocation:v1',
      predicate: {
        object: { digest: { sha256: FACTS.objectSha256.slice(7) } },
        btf: { digest: { sha256: FACTS.btfSha256.slice(7) } },
        modules: FACTS.moduleSha256s.map(hash => ({ digest: { sha256: hash.slice(7) } })),
        kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic',
        engine: { name: 'corelo', version: '1.0.0', semantics: 'libbpf 1.8' },
        verdict: 'loads',
        assumes: ['.rodata.enabled = 0'],
        counts: { resolved: 12, absent: 3, poisoned: 1 }
      }
    })
  })

  it('has a signature that OpenSSL verifies over what sigstore says is signed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'corelo-test-'))
    onTestFinished(() => { rmSync(folder, { recursive: true }) })
    const key = signingKey()
    const envelope = JSON.parse(signer(key).sign(FACTS)) as { payload: string, payloadType: string, signatures: Array<{ sig: string }> }
    writeFileSync(join(folder, 'key.pem'), createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' }))
    writeFileSync(join(folder, 'signed'), dsse.preAuthEncoding(envelope.payloadType, Buffer.from(envelope.payload, 'base64')))
    writeFileSync(join(folder, 'sig'), Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64'))
    const args = ['pkeyutl', '-verify', '-pubin', '-inkey', 'key.pem', '-rawin', '-in', 'signed', '-sigfile', 'sig']
    expect(execFileSync('openssl', args, { cwd: folder, encoding: 'utf8' })).toContain('Signature Verified Successfully')
  })

  it('names its key by the thumbprint that jose calculates', async () => {
    const key = signingKey()
    const { signatures } = JSON.parse(signer(key).sign(FACTS)) as { signatures: Array<{ keyid: string }> }
    expect(signatures[0]?.keyid).toBe(await calculateJwkThumbprint(await exportJWK(createPublicKey(key.privateKey))))
    expect(key.jwk.kid).toBe(signatures[0]?.keyid)
  })

  it('fits the headers of clients and proxies, however long its kernel is called and however many modules there are', () => {
    const kernel = Array(4).fill('x'.repeat(128)).join('/')
    for (const count of [8, 9, 512]) {
      const envelope = signer().sign({ ...FACTS, kernel, moduleSha256s: Array(count).fill(FACTS.btfSha256) })
      expect(Buffer.from(envelope).toString('base64').length).toBeLessThanOrEqual(4096)
    }
  })
})

describe('parseEnvelope', () => {
  const good = { payload: 'e30=', payloadType: 'text/plain', signatures: [{ keyid: 'k', sig: 'AAAA' }] }

  it('takes the alphabet of URLs, a signature without key id, and members it does not know', () => {
    const text = JSON.stringify({ ...good, payload: '-_8', signatures: [{ sig: 'AAAA', more: 1 }], more: 2 })
    expect(parseEnvelope(text)).toEqual({
      payloadType: 'text/plain', payload: Buffer.from([0xfb, 0xff]), signatures: [{ keyid: '', sig: Buffer.from([0, 0, 0]) }]
    })
  })

  it.each([
    ['no JSON', '{'], ['null', 'null'], ['a list', '[]'], ['no payload', JSON.stringify({ ...good, payload: undefined })],
    [
      'a payload that is no base64', JSON.stringify({ ...good, payload: '{}' })
    ], ['a type that is no text', JSON.stringify({ ...good, payloadType: 1 })],
    [
      'no signatures', JSON.stringify({ ...good, signatures: undefined })
    ], ['a signature that is no text', JSON.stringify({ ...good, signatures: [{ keyid: 'k', sig: 1 }] })],
    ['a key id that is no text', JSON.stringify({ ...good, signatures: [{ keyid: {}, sig: 'AAAA' }] })],
    [
      'signatures without end', JSON.stringify({ ...good, signatures: Array(9).fill(good.signatures[0]) })
    ], ['a text without end', ' '.repeat(70_000) + JSON.stringify(good)]
  ])('refuses %s', (_what, text) => {
    expect(parseEnvelope(text)).toBeUndefined()
  })
})
