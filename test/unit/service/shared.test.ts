import { describe, expect, it } from 'vitest'
import { hexOf, sha256, type Sha256 } from '../../../src/store/sha256.js'
import type { ServiceSettings } from '../../../src/service/service.js'
import { IMPATIENT, s3Settings, startS3Server, type S3Server } from '../../support/s3-server.js'
import { failure, fooBtf, fooObject, offsetOfY, put, relocate, startService, temporaryFolder, UBUNTU, type StartedService } from './lab.js'

/** A replica with a disk of its own. */
async function replica (server: S3Server, settings: Partial<ServiceSettings> = {}): Promise<StartedService> {
  return await startService(await temporaryFolder(), { sharedStore: s3Settings(server), ...settings })
}

async function settled (service: StartedService, server: S3Server, objects: number): Promise<void> {
  await expect.poll(() => server.objects.size).toBe(objects)
  await expect.poll(() => service.stats().cache['shared_queued']).toBe(0)
}

const contentKey = (kind: string, hash: Sha256): string => `fleet/corelo/${kind}/${hexOf(hash).slice(0, 2)}/${hexOf(hash)}`

describe('replicas that share a store', () => {
  it('find by name, by release and by hash what another of them holds', async () => {
    const server = await startS3Server()
    const one = await replica(server)
    const { entry } = await put(one, fooBtf())
    await settled(one, server, 2)
    for (const name of [{ kernel: { release: UBUNTU.release } }, { kernel: UBUNTU }, { btfSha256: entry.btfSha256 }]) {
      const answer = await relocate(await replica(server), name)
      expect(offsetOfY(answer)).toBe(12)
      expect(answer.btfSha256).toBe(entry.btfSha256)
    }
    const other = await replica(server)
    expect(await other.getKernel(UBUNTU)).toEqual(entry)
    expect((await other.getKernelBtf(UBUNTU)).bytes).toEqual(fooBtf())
    const third = await replica(server)
    expect(await third.hasBtf(entry.btfSha256)).toEqual({ bytes: fooBtf().length })
    expect(Buffer.from(await third.getBtf(entry.btfSha256))).toEqual(Buffer.from(fooBtf()))
    expect(server.refusals).toEqual([])
  })

  it('know objects that were put to another', async () => {
    const server = await startS3Server()
    const one = await replica(server)
    await one.putObject(fooObject(), sha256(fooObject()))
    await put(one, fooBtf())
    await settled(one, server, 3)
    const other = await replica(server)
    expect(await other.hasObject(sha256(fooObject()))).toBe(true)
    expect(offsetOfY(await relocate(other, { objectSha256: sha256(fooObject()) }))).toBe(12)
    await failure('object_unknown', relocate(other, { objectSha256: sha256('other') }))
  })

  it('hold on their own disk what they got, also when the store is gone', async () => {
    const server = await startS3Server()
    const one = await replica(server)
    await put(one, fooBtf())
    await settled(one, server, 2)
    const folder = await temporaryFolder()
    const other = await startService(folder, { sharedStore: s3Settings(server) })
    expect(offsetOfY(await relocate(other))).toBe(12)
    await other.close()
    const alone = await startService(folder)
    expect(offsetOfY(await relocate(alone))).toBe(12)
  })

  it('let an upload answer for its name only where uploads do', async () => {
    const server = await startS3Server()
    const one = await replica(server)
    const { entry } = await put(one, fooBtf())
    await settled(one, server, 2)
    const strict = await replica(server, { trustUploads: false })
    await failure('kernel_unknown', relocate(strict))
    await failure('kernel_unknown', relocate(strict, { kernel: UBUNTU }))
    expect(offsetOfY(await relocate(strict, { btfSha256: entry.btfSha256 }))).toBe(12)
    const trusting = await replica(server)
    expect((await put(trusting, fooBtf(2))).created).toBe(true)
    await failure('kernel_ambiguous', relocate(trusting, { kernel: UBUNTU }))
  })

  it('refuse a release that another of them holds with other BTF', async () => {
    const server = await startS3Server()
    const one = await replica(server)
    await put(one, fooBtf(1))
    await put(one, fooBtf(2), { distro: 'debian', distroVersion: '12' })
    await settled(one, server, 4)
    const { details } = await failure('kernel_ambiguous', relocate(await replica(server)))
    expect(details['candidates']).toHaveLength(2)
  })

  it('know the kernel of a distribution that installs those of another by what any of them holds', async () => {
    const server = await startS3Server()
    const kernelVersion = '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)'
    const debian = { distro: 'debian', distroVersion: '12' }
    const devuan = { kernel: { ...UBUNTU, distro: 'devuan', distroVersion: '5', kernelVersion } }
    const one = await replica(server)
    await put(one, fooBtf(1), debian, { kernelVersion })
    await settled(one, server, 2)
    const other = await replica(server)
    expect((await relocate(other, devuan)).warning).toMatchObject({ code: 'shared_kernel' })
    const third = await replica(server)
    await put(third, fooBtf(2), debian, { kernelVersion })
    const { details } = await failure('kernel_ambiguous', relocate(third, devuan))
    expect(details['candidates']).toHaveLength(2)
  })

  it('use no byte that was changed in the store', async () => {
    const server = await startS3Server()
    const one = await replica(server)
    await put(one, fooBtf())
    await settled(one, server, 2)
    const key = contentKey('btf', sha256(fooBtf()))
    const damaged = Buffer.from(fooBtf())
    damaged[40] = (damaged[40] ?? 0) ^ 1
    server.objects.set(key, damaged)
    const other = await replica(server)
    await failure('btf_unknown', relocate(other))
    await failure('btf_unknown', other.getBtf(sha256(fooBtf())))
    expect(other.stats().cache['shared_damaged']).toBeGreaterThan(0)
    server.objects.set(key, Buffer.from(fooBtf()))
    expect(offsetOfY(await relocate(await replica(server)))).toBe(12)
  })
})

describe('an outage of the shared store', () => {
  it('is invisible but in a gauge, and over by itself', async () => {
    const server = await startS3Server()
    server.misbehave = () => {} // takes questions and never answers
    const service = await replica(server, { sharedStore: { ...s3Settings(server), ...IMPATIENT } })
    expect(service.stats().degraded).toEqual({ disk: false, shared_store: false })
    expect((await put(service, fooBtf())).created).toBe(true)
    expect(offsetOfY(await relocate(service, { kernel: UBUNTU }))).toBe(12)
    await failure('kernel_unknown', relocate(service, { kernel: { ...UBUNTU, release: 'nobody-has-it' } }))
    // Others may hold other kernels of that release.
    await failure('storage_unreadable', relocate(service))
    await failure('btf_unknown', service.getBtf(sha256('nothing')))
    await expect.poll(() => service.stats().degraded['shared_store']).toBe(true)
    expect(service.warnings.filter(warning => warning.includes('shared store'))).toHaveLength(1)
    server.misbehave = undefined
    await expect.poll(() => server.objects.size).toBe(2)
    expect(service.stats().degraded['shared_store']).toBe(false)
  })
})
