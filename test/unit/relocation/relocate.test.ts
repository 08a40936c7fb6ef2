import { describe, expect, it, vi } from 'vitest'
import type { AppError } from '../../../src/errors.js'
import { sha256 } from '../../../src/store/sha256.js'
import type { RelocateRequest } from '../../../src/relocation/types.js'
import {
  BY_NODE, emptyBtf, failure, fooBtf, fooObject, offsetOfY, put, relocate, slowBtf, startService, temporaryFolder, UBUNTU
} from '../service/lab.js'

/** The relocations of an error, which are JSON already. */
function listOf ({ details }: AppError): unknown {
  const { relocations } = details
  return relocations instanceof Uint8Array ? JSON.parse(Buffer.from(relocations).toString()) : undefined
}

describe('a relocation', () => {
  it('is done for a kernel that was uploaded, under each of its names', async () => {
    const service = await startService(await temporaryFolder())
    const { entry } = await put(service, fooBtf())
    const answers = [
      await relocate(service, { kernel: { release: UBUNTU.release } }),
      await relocate(service, { kernel: UBUNTU }),
      await relocate(service, { btfSha256: entry.btfSha256 }),
      await relocate(service, { btf: [fooBtf()] })
    ]
    for (const answer of answers) {
      expect(offsetOfY(answer)).toBe(12)
      expect(answer).toMatchObject({
        sha256: sha256(answer.bytes),
        objectSha256: sha256(fooObject()),
        btfSha256: entry.btfSha256,
        verdict: 'loads',
        counts: { resolved: 1, absent: 0, poisoned: 0 }
      })
    }
    expect(answers.map(({ kernel }) => kernel)).toEqual([
      'ubuntu/20.04/x86_64/5.4.0-42-generic', 'ubuntu/20.04/x86_64/5.4.0-42-generic', 'ubuntu/20.04/x86_64/5.4.0-42-generic', null
    ])
    expect(answers.map(({ source }) => source)).toEqual(['upload', 'upload', 'upload', 'request'])
  })

  it('is answered from memory the second time, with the same bytes', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    const first = await relocate(service)
    const second = await relocate(service)
    expect([first.cached, second.cached]).toEqual([false, true])
    expect(second.bytes).toEqual(first.bytes)
    expect(service.stats().cache['relocations']).toBe(1)
  })

  it('is answered without waiting for anything once it is held, by whatever name', async () => {
    const service = await startService(await temporaryFolder())
    const { entry: { btfSha256 } } = await put(service, fooBtf())
    await relocate(service)
    const ask = (kernel: Partial<RelocateRequest>) =>
      service.relocate({ object: fooObject(), onUnresolved: 'poison', wantsReport: false, ...kernel })
    for (const kernel of [{ kernel: { release: UBUNTU.release } }, { kernel: UBUNTU }, { btfSha256 }]) {
      const answer = ask(kernel)
      expect(answer).not.toBeInstanceOf(Promise)
      expect(answer).toMatchObject({ cached: true, btfSha256, kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic' })
      expect(ask(kernel)).toBe(answer)
    }
  })

  it('is not that of an object which differs in one byte only', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    await relocate(service)
    const other = Uint8Array.from(fooObject())
    other[48] = 1 // e_flags, which nothing depends on but the hash
    const answer = await relocate(service, { object: other })
    expect(answer).toMatchObject({ cached: false, objectSha256: sha256(other) })
    expect(await relocate(service, { object: other })).toMatchObject({ cached: true, objectSha256: sha256(other) })
    expect(await relocate(service)).toMatchObject({ cached: true, objectSha256: sha256(fooObject()) })
  })

  it('is not refused for what it brings, because somebody who only names that asked at the same moment', async () => {
    const service = await startService(await temporaryFolder())
    const { entry: { btfSha256 } } = await put(service, fooBtf())
    const objectSha256 = sha256(fooObject())
    const [named, sent] = await Promise.allSettled([
      relocate(service, { objectSha256, object: undefined as never, btfSha256 }), relocate(service, { btfSha256 })
    ])
    expect(named).toMatchObject({ status: 'rejected', reason: { code: 'object_unknown' } })
    expect(sent).toMatchObject({ status: 'fulfilled', value: { objectSha256, verdict: 'loads' } })
  })

  it('gives the same bytes and hashes after a restart', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await put(before, fooBtf())
    const first = await relocate(before)
    await before.close()
    const after = await startService(folder)
    const second = await relocate(after, { objectSha256: first.objectSha256, btfSha256: first.btfSha256 })
    expect(second).toMatchObject({ sha256: first.sha256, cached: false })
    expect(second.bytes).toEqual(first.bytes)
  })

  it('brings a report only where one is wanted, also when the result was held without one', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    expect((await relocate(service)).report).toBeUndefined()
    const { report } = await relocate(service, { wantsReport: true })
    expect(JSON.parse(`{${Buffer.from(report?.members ?? []).toString()}}`).relocations).toMatchObject([
      { kind: 'byte_off', status: 'resolved', old: 4, new: 12 }
    ])
    expect((await relocate(service, { wantsReport: true })).cached).toBe(true)
  })

  it('leaves BTF that came with the request behind nowhere', async () => {
    const service = await startService(await temporaryFolder())
    const { btfSha256, objectSha256 } = await relocate(service, { btf: [fooBtf()] })
    expect(await service.hasBtf(btfSha256)).toBeUndefined()
    await failure('btf_unknown', relocate(service, { objectSha256, object: undefined as never, btfSha256: sha256('other') }))
    expect((await service.listKernels({ limit: 10 })).kernels).toEqual([])
  })

  it('poisons what the kernel does not have, or refuses it when asked to', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, emptyBtf())
    expect(await relocate(service)).toMatchObject({ verdict: 'fails', counts: { poisoned: 1 } })
    const error = await failure('unresolved_reachable', relocate(service, { onUnresolved: 'fail' }))
    expect(listOf(error)).toMatchObject([{ status: 'poisoned', reason: 'type_missing', places: [{ program: 'a', instruction: 0 }] }])
    expect(error.message).toContain('a, instruction 0: This kernel has no struct foo.')
  })

  it('refuses an object that libbpf would refuse, with every failing record', async () => {
    const service = await startService(await temporaryFolder())
    const { btf, integers, at } = await import('../../support/btf-builder.js')
    const ambiguous = btf()
    const { int } = integers(ambiguous)
    ambiguous.struct('foo', 8, [at('y', 0, int)])
    ambiguous.struct('foo', 8, [at('y', 4, int)])
    await put(service, ambiguous.bytes())
    const error = await failure('relocation_failed', relocate(service))
    expect(error.details).toMatchObject({ counts: { failed: 1 } })
    expect(listOf(error)).toMatchObject([{ status: 'failed', reason: 'ambiguous', places: [{ program: 'a' }] }])
    expect(error.message).toMatch(/^1 of 1 relocations .* a, instruction 0: /)
    expect(await service.hasObject(sha256(fooObject()))).toBe(true)
  })

  it('refuses what is no object, and keeps none of it', async () => {
    const service = await startService(await temporaryFolder(), { maxObjectBytes: 2000 })
    await put(service, fooBtf())
    const junk = new Uint8Array(100).fill(1)
    await failure('object_invalid', relocate(service, { object: junk.slice() }))
    expect(await service.hasObject(sha256(junk))).toBe(false)
    await failure('too_large', relocate(service, { object: new Uint8Array(2001) }))
    await failure('object_invalid', relocate(service, { object: new Uint8Array(0) }))
    await failure('btf_invalid', relocate(service, { btf: [junk.slice()] }))
  })
})

describe('an object that came relocated', () => {
  it('is passed through, and nothing is attested of a kernel', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    const first = await relocate(service)
    expect(first.attestation).toEqual(expect.any(String))
    const again = await relocate(service, { object: Uint8Array.from(first.bytes) })
    expect(again.bytes).toEqual(first.bytes)
    expect(again.attestation).toBeUndefined()
    expect((await relocate(service, { object: Uint8Array.from(first.bytes), wantsReport: true })).attestation).toBeUndefined()
  })
})

describe('a module', () => {
  const moduleBtf = async () => {
    const { btf, integers, at } = await import('../../support/btf-builder.js')
    const base = btf()
    const { int } = integers(base)
    const split = btf({ base })
    split.struct('foo', 32, [at('y', 20, int)])
    return { vmlinux: base.bytes(), module: split.bytes() }
  }

  it('is not taken for a kernel, whose BTF it is not', async () => {
    const service = await startService(await temporaryFolder())
    const { vmlinux, module } = await moduleBtf()
    await put(service, vmlinux)
    await service.putKernelBtf(UBUNTU, module, BY_NODE, 'foo_mod')
    const error = await failure('btf_invalid', relocate(service, { btfSha256: sha256(module) }))
    expect(error.message).toContain('is the BTF of module foo_mod of kernel ubuntu/20.04/x86_64/5.4.0-42-generic, not that of a kernel')
    await failure('btf_invalid', relocate(service, { btf: [module] }))
  })

  it('is consulted by name, by hash, and as a part', async () => {
    const service = await startService(await temporaryFolder())
    const { vmlinux, module } = await moduleBtf()
    await put(service, vmlinux)
    const { created, entry } = await service.putKernelBtf(UBUNTU, module, BY_NODE, 'foo_mod')
    expect(created).toBe(true)
    expect(entry.modules).toMatchObject([{ name: 'foo_mod', btfSha256: sha256(module), bytes: module.length }])
    const { btfSha256 } = entry
    for (const request of [
      { kernel: UBUNTU, modules: ['foo_mod'] },
      { btfSha256, modules: ['foo_mod'] },
      { btfSha256, moduleSha256s: [sha256(module)] },
      { btf: [vmlinux, module] }
    ]) {
      const answer = await relocate(service, request)
      expect(offsetOfY(answer)).toBe(20)
      expect(answer.moduleSha256s).toEqual([sha256(module)])
    }
    expect((await relocate(service, { kernel: UBUNTU })).counts.poisoned).toBe(1)
    expect((await service.getKernelBtf(UBUNTU, 'foo_mod')).bytes).toEqual(module)
    expect(await service.getBtf(sha256(module))).toEqual(module)
  })

  it('that is not held is an error, never left out', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    const error = await failure('btf_unknown', relocate(service, { kernel: UBUNTU, modules: ['nope'] }))
    expect(error.details).toEqual({ kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic', module: 'nope' })
    await failure('invalid_request', relocate(service, { btf: [fooBtf()], modules: ['nope'] }))
  })
})

describe('work that many ask for', () => {
  it('is done once: a hundred requests for one cold kernel parse its BTF once', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await put(before, fooBtf())
    await before.close()
    const service = await startService(folder, { queueLimit: 200 })
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => relocate(service, { object: fooObject(i % 4) })))
    expect(answers.every(answer => offsetOfY(answer) === 12)).toBe(true)
    expect(service.stats().cache).toMatchObject({ btf_misses: 1, relocations: 4 })
  })

  it('goes on for the others when the caller who began it leaves', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    const leaving = new AbortController()
    const first = relocate(service, {}, leaving)
    const others = Array.from({ length: 5 }, () => relocate(service))
    leaving.abort()
    await failure('deadline_exceeded', first)
    for (const answer of await Promise.all(others)) expect(offsetOfY(answer)).toBe(12)
    expect(service.stats().cache['relocations']).toBe(1)
  })
})

describe('a service under strain', () => {
  it('kills a worker at the deadline, and goes on', async () => {
    const service = await startService(await temporaryFolder(), { deadlineMs: 500 })
    await put(service, fooBtf())
    await failure('deadline_exceeded', put(service, slowBtf(), { release: 'slow' }))
    // On a busy machine the worker that replaces it takes longer to start than the deadline is.
    await vi.waitFor(async () => { expect(offsetOfY(await relocate(service))).toBe(12) }, { timeout: 60_000 })
    expect(service.stats()).toMatchObject({ running: 0, queued: 0 })
    expect(service.stats().workerRestarts).toBeGreaterThanOrEqual(1)
    expect(service.warnings.join()).toContain('A worker was killed')
  })

  it('refuses what it cannot queue, and says when to come back', async () => {
    const service = await startService(await temporaryFolder(), { deadlineMs: 350, queueLimit: 1 })
    const requests = Array.from({ length: 3 }, (_, i) =>
      put(service, slowBtf(), { release: `slow-${i}` }).then(() => undefined, (error: unknown) => error))
    const errors = await Promise.all(requests)
    expect(errors.filter(error => (error as { code: string }).code === 'overloaded')).toMatchObject([
      { details: { retry_after: expect.any(Number) } }
    ])
    expect(errors.filter(error => (error as { code: string }).code === 'deadline_exceeded')).toHaveLength(2)
    expect(service.stats().cache['overloaded']).toBe(1)
  })

  it('answers draining once it is closed', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    await service.close()
    await failure('draining', relocate(service))
  })
})
