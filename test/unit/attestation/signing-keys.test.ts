import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { generateSigningKey, parseSigningKeys } from '../../../src/attestation/signing-keys.js'
import { FACTS, signer, signingKey } from './facts.js'

const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

describe('parseSigningKeys', () => {
  it('takes a key that OpenSSL made', () => {
    const [key] = parseSigningKeys(openssl('genpkey', '-algorithm', 'ed25519'))
    expect(key.jwk).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', x: expect.stringMatching(/^[\w-]{43}$/) })
    expect(key.jwk).not.toHaveProperty('exp')
  })

  it('takes several keys in their order, each with its own end', () => {
    const text = `${generateSigningKey()}\n# spare\n${generateSigningKey(new Date('2030-01-02T03:04:05Z'))}`
    const keys = parseSigningKeys(text)
    expect(keys.map(({ jwk }) => jwk.exp)).toEqual([undefined, Date.parse('2030-01-02T03:04:05Z') / 1000])
    expect(keys.map(({ jwk }) => jwk.kid)).toEqual([...text.matchAll(/^Key: (.+)$/gm)].map(([, kid]) => kid))
  })

  it.each([
    ['nothing', ''], ['a public key', '-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n'],
    [
      'a key of another kind', openssl('genpkey', '-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256')
    ], ['a key cut short', generateSigningKey().replace(/.{20}\n-----END/, '\n-----END')],
    ['an end that is no time', generateSigningKey().replace('-----BEGIN', 'Expires: soon\n-----BEGIN')]
  ])('refuses %s', (_what, text) => {
    expect(() => parseSigningKeys(text)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })
})

describe('the public half of a key', () => {
  it('is told from a private key that cannot be read', () => {
    const pem = '-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n'
    expect(() => parseSigningKeys(pem)).toThrow(/^It has a public key .*; give the private one\.$/)
  })
})

describe('createSigner', () => {
  const past = new Date(Date.now() - 1000)

  it('publishes every key, and signs with the first that has not ended', () => {
    const [old, current, spare] = [signingKey(past), signingKey(new Date(Date.now() + 3_600_000)), signingKey()]
    const rotated = signer(old, current, spare)
    expect(rotated.jwks.keys.map(({ kid }) => kid)).toEqual([old.jwk.kid, current.jwk.kid, spare.jwk.kid])
    expect(rotated.keyId()).toBe(current.jwk.kid)
    expect(rotated.sign(FACTS)).toContain(current.jwk.kid)
  })

  it('publishes nothing that is private', () => {
    for (const jwk of signer().jwks.keys) expect(Object.keys(jwk).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })

  it('does not sign once every key has ended', () => {
    expect(() => signer(signingKey(past)).sign(FACTS)).toThrow(/corelo keys rotate/)
  })
})
