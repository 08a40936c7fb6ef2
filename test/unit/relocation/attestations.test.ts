import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseJwks } from '../../../src/attestation/jwk.js'
import type { Signer } from '../../../src/attestation/sign.js'
import { generateSigningKey, parseSigningKeys } from '../../../src/attestation/signing-keys.js'
import type { RelocationFacts } from '../../../src/attestation/statement.js'
import { verifyAttestation, type AskedRelocation, type Verification } from '../../../src/attestation/verify.js'
import { sha256 } from '../../../src/store/sha256.js'
import { createAttestations } from '../../../src/relocation/attestations.js'
import { createService } from '../../../src/service/service.js'
import type { RelocateAnswer } from '../../../src/relocation/types.js'
import type { Service } from '../../../src/service/types.js'
import { FACTS, signer } from '../attestation/facts.js'
import { emptyBtf, fooBtf, fooObject, put, relocate, startService, temporaryFolder, UBUNTU } from '../service/lab.js'

const REFERENCE = 'ubuntu/20.04/x86_64/5.4.0-42-generic'

async function verified (service: Service, { attestation, bytes }: RelocateAnswer, asked: Partial<AskedRelocation>): Promise<Verification> {
  const keys = parseJwks(JSON.stringify(await service.publicKeys()))
  return verifyAttestation({
    envelope: Buffer.from(attestation ?? '', 'base64').toString(),
    keys,
    result: bytes,
    asked: { objectSha256: sha256(fooObject()), ...asked }
  })
}

describe('the attestation of a relocation', () => {
  it('verifies for the kernel that was asked for by name, and for its BTF', async () => {
    const service = await startService(await temporaryFolder())
    const { entry } = await put(service, fooBtf())
    for (const answer of [await relocate(service), await relocate(service), await relocate(service, { wantsReport: true })]) {
      expect(await verified(service, answer, { kernel: REFERENCE, moduleSha256s: [] })).toMatchObject({
        ok: true, facts: { kernel: REFERENCE, engine: { name: 'corelo' } }
      })
      expect(await verified(service, answer, { btfSha256: entry.btfSha256 })).toMatchObject({ ok: true })
    }
  })

  it('does not vouch for the name that a caller gives to BTF of its own', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    const { entry } = await put(service, emptyBtf(), { release: '6.1' })
    for (const answer of [
      await relocate(service, { btf: [emptyBtf()], kernel: UBUNTU }),
      await relocate(service, { btfSha256: entry.btfSha256, kernel: UBUNTU })
    ]) {
      expect(answer.kernel).toBe(REFERENCE)
      expect(await verified(service, answer, { kernel: REFERENCE })).toMatchObject({ ok: false, cause: 'wrong_kernel' })
      expect(await verified(service, answer, { kernel: REFERENCE, btfSha256: sha256(emptyBtf()) })).toMatchObject({ ok: true })
    }
  })

  it('names each kernel that shares a BTF when asked by that name', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    await put(service, fooBtf(), { distroVersion: '18.04' })
    const answers = await Promise.all(['20.04', '18.04'].map(async distroVersion =>
      await relocate(service, { kernel: { ...UBUNTU, distroVersion } })))
    for (const [i, kernel] of [REFERENCE, REFERENCE.replace('20.04', '18.04')].entries()) {
      expect(await verified(service, answers[i] ?? expect.fail(), { kernel })).toMatchObject({ ok: true })
    }
    expect(service.stats().cache['relocations']).toBe(1)
  })

  it('verifies after a restart, since the key is kept in the cache folder, where only its owner can read it', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await put(before, fooBtf())
    const answer = await relocate(before)
    const keys = await before.publicKeys()
    await before.close()
    expect((await stat(join(folder, 'signing-key.pem'))).mode & 0o777).toBe(0o600)
    const after = await startService(folder)
    expect(await after.publicKeys()).toEqual(keys)
    expect(await verified(after, answer, { kernel: REFERENCE })).toMatchObject({ ok: true })
  })

  it('verifies through a rotation: the new key signs, the old one is still published', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await put(before, fooBtf())
    const old = await relocate(before)
    await before.close()
    const file = join(folder, 'signing-key.pem')
    await writeFile(file, generateSigningKey() + await readFile(file, 'utf8'))
    const after = await startService(folder)
    const [next, last] = (await after.publicKeys()).keys
    expect(await verified(after, old, { kernel: REFERENCE })).toMatchObject({ ok: true, keyId: last?.kid })
    expect(await verified(after, await relocate(after), { kernel: REFERENCE })).toMatchObject({ ok: true, keyId: next?.kid })
  })

  it('is signed with the keys of the settings, where there are some', async () => {
    const folder = await temporaryFolder()
    const texts = [generateSigningKey(), generateSigningKey()]
    const files = [join(folder, 'a.pem'), join(folder, 'b.pem')]
    for (const [i, text] of texts.entries()) await writeFile(files[i] ?? '', text, { mode: 0o640 })
    const service = await startService(join(folder, 'cache'), { signingKeyFile: files.join(',') })
    expect((await service.publicKeys()).keys).toEqual(texts.map(text => parseSigningKeys(text)[0].jwk))
    expect(service.warnings).toContainEqual(expect.stringContaining('can be read by others'))
  })

  it.each([
    ['are missing', async () => {}],
    ['have all ended', async (file: string) => { await writeFile(file, generateSigningKey(new Date(0))) }]
  ])('stops a start with keys that %s', async (_what, prepare) => {
    const folder = await temporaryFolder()
    const signingKeyFile = join(folder, 'key.pem')
    await prepare(signingKeyFile)
    await expect(startService(folder, { signingKeyFile })).rejects.toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })

  it('is made with a key of the process alone, and a warning, where the cache folder takes no file', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), '')
    const warnings: string[] = []
    const settings = {
      memoryBytes: 1 << 20, workers: 1, deadlineMs: 1000, maxObjectBytes: 1, maxBtfBytes: 1, localKernel: false, trustUploads: false
    }
    const service = createService(
      { ...settings, cacheDir: join(folder, 'file', 'cache') }, { onWarning: message => { warnings.push(message) } }
    )
    expect((await service.publicKeys()).keys).toHaveLength(1)
    await service.close()
    expect(warnings).toContainEqual(expect.stringContaining('no signing key can be kept'))
  })
})

describe('attestations', () => {
  function counted (): { signer: Signer, count: () => number } {
    const real = signer()
    let count = 0
    return { signer: { ...real, sign: (facts: RelocationFacts) => { count++; return real.sign(facts) } }, count: () => count }
  }

  it('are signed once for each result and name', () => {
    const { signer, count } = counted()
    const attestations = createAttestations(signer)
    const [one, other] = [{}, {}]
    const first = attestations.of(one, FACTS)
    expect(attestations.of(one, FACTS)).toBe(first)
    expect(count()).toBe(1)
    expect(attestations.of(one, { ...FACTS, kernel: null })).not.toBe(first)
    attestations.of(other, FACTS)
    expect(count()).toBe(3)
  })

  it('are kept under a few names of a result', () => {
    const { signer, count } = counted()
    const attestations = createAttestations(signer)
    const result = {}
    for (let i = 0; i < 9; i++) attestations.of(result, { ...FACTS, kernel: `k${i}` })
    attestations.of(result, { ...FACTS, kernel: 'k8' })
    expect(count()).toBe(9)
    attestations.of(result, { ...FACTS, kernel: 'k0' })
    expect(count()).toBe(10)
  })

  it('are signed anew once their key has ended', () => {
    const { signer, count } = counted()
    let keyId = 'first'
    const attestations = createAttestations({ ...signer, keyId: () => keyId })
    const result = {}
    attestations.of(result, FACTS)
    keyId = 'second'
    attestations.of(result, FACTS)
    expect(count()).toBe(2)
  })
})
