import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { formatReference } from '../../../src/identity/reference.js'
import { sha256 } from '../../../src/store/sha256.js'
import type { KernelFilter } from '../../../src/kernels/types.js'
import type { Service } from '../../../src/service/types.js'
import type { ServiceSettings } from '../../../src/service/service.js'
import { failure, fooBtf, put, relocate, startService, temporaryFolder, UBUNTU, type StartedService } from '../service/lab.js'

const BULLSEYE = 'debian/bullseye/x86_64/5.10.0-9-amd64'
const FOCAL = 'ubuntu/20.04/x86_64/5.4.0-42-generic'
const BIONIC = 'ubuntu/18.04/x86_64/5.4.0-42-generic'
const RHEL = 'rhel/8/x86_64/4.18.0-305.25.1.el8_4.x86_64'

/** A service whose archive is known to have these, and is never asked unless a test says where it is. */
async function startWith (names: readonly string[], settings: Partial<ServiceSettings> = {}): Promise<StartedService> {
  const catalog = join(await temporaryFolder(), 'list.txt')
  await writeFile(catalog, names.map(name => `${name}.btf.tar.xz\n`).join(''))
  return await startService(await temporaryFolder(), { catalog, ...settings })
}

async function listOf (service: Service, filter: Partial<KernelFilter> = {}): Promise<string[]> {
  const { kernels } = await service.listKernels({ limit: 1000, ...filter })
  return kernels.map(({ reference, state }) => `${state} ${formatReference(reference)}`)
}

describe('the list of kernels', () => {
  it('has what is held and what sources are known to have, each once, and says which and from whom', async () => {
    const service = await startWith([BULLSEYE, FOCAL, BIONIC])
    const held = await put(service, fooBtf(), { distro: 'debian', distroVersion: '11', release: '5.10.0-9-amd64' })
    await put(service, fooBtf(1))
    expect(await listOf(service)).toEqual(['held debian/11/x86_64/5.10.0-9-amd64', `offered ${BIONIC}`, `held ${FOCAL}`])
    const { kernels } = await service.listKernels({ limit: 2 })
    expect(kernels).toMatchObject([
      { state: 'held', sources: ['upload', 'btfhub'], btfSha256: held.entry.btfSha256 }, { state: 'offered', sources: ['btfhub'] }
    ])
  })

  it('has a kernel once that is held under a minor version and offered under the major one', async () => {
    const release = '5.15.0-1.el8uek.x86_64'
    const service = await startWith([`ol/8/x86_64/${release}`])
    await put(service, fooBtf(), { distro: 'ol', distroVersion: '8.9', release })
    const held = [`held ol/8.9/x86_64/${release}`]
    for (const filter of [{}, { release }, { distro: 'ol', distroVersion: '8' }]) expect(await listOf(service, filter)).toEqual(held)
  })

  it('is filtered by any spelling of the platform', async () => {
    const service = await startWith([BULLSEYE, FOCAL, BIONIC, RHEL])
    await put(service, fooBtf(), { release: '5.4.0-1-generic' })
    expect(await listOf(service, { distro: 'debian', distroVersion: '11', arch: 'amd64' })).toEqual([`offered ${BULLSEYE}`])
    expect(await listOf(service, { distro: 'ubuntu', distroVersion: 'focal' })).toEqual([
      'held ubuntu/20.04/x86_64/5.4.0-1-generic', `offered ${FOCAL}`
    ])
    expect(await listOf(service, { distroVersion: '8.4' })).toEqual([`offered ${RHEL}`])
    expect(await listOf(service, { release: '5.4.0-42-generic' })).toEqual([`offered ${BIONIC}`, `offered ${FOCAL}`])
    expect(await listOf(service, { release: '5.4.0-42-generic', distro: 'debian' })).toEqual([])
    expect(await listOf(service, { distro: 'rocky' })).toEqual([])
  })

  it('shows every kernel that was there all the time exactly once, however many come and are fetched meanwhile', async () => {
    const offered = Array.from({ length: 40 }, (_, i) => `ubuntu/20.04/x86_64/5.4.0-${100 + i}-generic`)
    const service = await startWith(offered)
    for (let i = 0; i < 5; i++) await put(service, fooBtf(), { distro: 'debian', distroVersion: '12', release: `6.1.0-${i}-amd64` })
    const seen: string[] = []
    let cursor: string | undefined
    for (let page = 0; page < 100; page++) {
      const { kernels, nextCursor } = await service.listKernels({ limit: 3, ...(cursor === undefined ? {} : { cursor }) })
      expect(kernels.length).toBeLessThanOrEqual(3)
      seen.push(...kernels.map(({ reference }) => formatReference(reference)))
      await put(service, fooBtf(), { release: `5.4.0-${100 + page * 2}-generic` }) // what was offered is now held
      await put(service, fooBtf(), { distro: 'aaa', release: `1.${page}` }) // and there are new ones before what was shown
      if (nextCursor === null) break
      cursor = nextCursor
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect([...seen].sort()).toEqual(seen)
    for (const name of offered) expect(seen).toContain(name)
  })

  it.each([
    '', 'x', Buffer.from('a/b/c').toString('base64url'), Buffer.from('a/b/c/d e').toString('base64url'),
    Buffer.from('../../../x').toString('base64url')
  ])('takes no cursor of others: %j', async cursor => {
    await failure('invalid_request', (await startWith([FOCAL])).listKernels({ limit: 2, cursor }))
  })

  it('of fifty thousand is a page of them, not a search of all', async () => {
    const service = await startWith(Array.from({ length: 50_000 }, (_, i) =>
      `${i % 2 === 0 ? 'ubuntu/20.04' : 'debian/10'}/x86_64/5.${i % 20}.0-${i}-generic`))
    const { kernels, nextCursor } = await service.listKernels({ limit: 2, distro: 'ubuntu', distroVersion: 'focal' })
    expect(kernels).toHaveLength(2)
    const second = await service.listKernels({ limit: 1000, distro: 'ubuntu', cursor: nextCursor ?? '' })
    expect(second.kernels).toHaveLength(1000)
    expect(await listOf(service, { release: '5.1.0-49981-generic' })).toEqual(['offered debian/10/x86_64/5.1.0-49981-generic'])
  })
})

describe('a kernel that is not held', () => {
  it('is unknown with the kernels of its release that others built, none of which is taken for it', async () => {
    const service = await startWith([RHEL])
    const rocky = { distro: 'rocky', distroVersion: '8.4', arch: 'x86_64', release: '4.18.0-305.25.1.el8_4.x86_64' }
    const { entry } = await put(service, fooBtf(), { ...rocky, distro: 'centos', distroVersion: '8' })
    const error = await failure('kernel_unknown', relocate(service, { kernel: rocky }))
    expect(error.details).toMatchObject({
      kernel: 'rocky/8.4/x86_64/4.18.0-305.25.1.el8_4.x86_64',
      candidates: [
        { reference: 'centos/8/x86_64/4.18.0-305.25.1.el8_4.x86_64', btf_sha256: entry.btfSha256, source: 'upload' },
        { reference: RHEL, btf_sha256: null, source: 'btfhub' }
      ]
    })
    expect(error.message).toMatch(/centos\/8.*rhel\/8.*each distribution and architecture has its own build/)
  })

  it('is unknown with the nearest that are held, and the nearest that can be had', async () => {
    const service = await startWith([FOCAL, 'ubuntu/20.04/x86_64/5.4.0-47-generic', 'ubuntu/20.04/x86_64/5.15.0-1-generic'])
    await put(service, fooBtf(), { release: '5.4.0-40-generic' })
    const error = await failure('kernel_unknown', relocate(service, { kernel: { ...UBUNTU, release: '5.4.0-43-generic' } }))
    expect(error.details).toMatchObject({
      nearest: ['ubuntu/20.04/x86_64/5.4.0-40-generic'], nearest_offered: [FOCAL, 'ubuntu/20.04/x86_64/5.4.0-47-generic'], candidates: []
    })
  })

  it('is asked for at exactly the places that are listed, and without a list at those its name allows', async () => {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(404).end()
    })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    onTestFinished(() => new Promise(resolve => { server.closeAllConnections(); server.close(() => { resolve() }) }))
    const btfhubUrls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`]
    await failure('kernel_unknown', relocate(await startWith([BIONIC, RHEL], { btfhubUrls })))
    expect(asked).toEqual([`/${BIONIC}.btf.tar.xz`])
    asked.length = 0
    await failure('kernel_unknown', relocate(await startWith([RHEL], { btfhubUrls })))
    expect(asked.sort()).toEqual(['18.04/arm64', '18.04/x86_64', '20.04/arm64', '20.04/x86_64'].map(folder =>
      `/ubuntu/${folder}/5.4.0-42-generic.btf.tar.xz`))
    asked.length = 0
    await failure('kernel_unknown', relocate(
      await startWith([RHEL], { btfhubUrls }),
      { kernel: { distro: 'debian', distroVersion: '11', arch: 'x86_64', release: '5.10.0-9-amd64' } }
    ))
    expect(asked).toEqual([`/${BULLSEYE}.btf.tar.xz`, '/debian/11/x86_64/5.10.0-9-amd64.btf.tar.xz'])
  })
})

describe('a whole reference', () => {
  it('means the kernel by any spelling of its platform, and is called as it was asked for', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf(), { distro: 'debian', distroVersion: 'bullseye', release: '5.10.0-9-amd64' })
    const kernel = { distro: 'debian', distroVersion: '11', arch: 'x86_64', release: '5.10.0-9-amd64' }
    expect(await relocate(service, { kernel })).toMatchObject({ kernel: 'debian/11/x86_64/5.10.0-9-amd64', btfSha256: sha256(fooBtf()) })
    expect(await service.getKernel(kernel)).toMatchObject({ reference: kernel, btfSha256: sha256(fooBtf()) })
    expect(await relocate(service, { kernel: { release: '5.10.0-9-amd64', distro: 'debian', distroVersion: '11' } })).toMatchObject({
      kernel: BULLSEYE
    })
  })

  it('is the kernel that is held under exactly that, before other spellings of it', async () => {
    const service = await startService(await temporaryFolder())
    const release = '4.18.0-305.25.1.el8_4.x86_64'
    await put(service, fooBtf(1), { distro: 'rhel', distroVersion: '8', release })
    await put(service, fooBtf(2), { distro: 'rhel', distroVersion: '8.4', release })
    const of = (distroVersion: string) => relocate(service, { kernel: { distro: 'rhel', distroVersion, arch: 'x86_64', release } })
    expect((await of('8')).btfSha256).toBe(sha256(fooBtf(1)))
    expect((await of('8.4')).btfSha256).toBe(sha256(fooBtf(2)))
    const error = await failure('kernel_ambiguous', of('8.6'))
    expect(error.details).toMatchObject({
      kernel: `rhel/8.6/x86_64/${release}`, candidates: [{ reference: `rhel/8.4/x86_64/${release}` }, { reference: RHEL }]
    })
  })

  it('of two builds means the one whose uname -v it has', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf(1), { distroVersion: '18.04' }, { kernelVersion: '#46~18.04.1-Ubuntu SMP' })
    await put(service, fooBtf(2))
    const error = await failure('kernel_ambiguous', relocate(service, { kernel: { release: UBUNTU.release } }))
    expect(error.details['candidates']).toMatchObject([
      { reference: BIONIC, kernel_version: '#46~18.04.1-Ubuntu SMP' }, { reference: FOCAL }
    ])
    expect(await relocate(service, { kernel: { release: UBUNTU.release, kernelVersion: '#46~18.04.1-Ubuntu SMP' } })).toMatchObject({
      kernel: BIONIC, btfSha256: sha256(fooBtf(1))
    })
  })
})
