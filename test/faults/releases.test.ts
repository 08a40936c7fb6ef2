import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { failure, fooBtf, relocate, startService, temporaryFolder } from '../unit/service/lab.js'
import { tarXzOf } from '../support/xz-writer.js'
import { serving, startOrigin } from './origin.js'
import { QUICK, startFetching } from './sources.js'

const RELEASE = '4.15.0-20-generic'
const archive = async (serial: number, release = RELEASE) => await tarXzOf({ name: `${release}.btf`, bytes: fooBtf(serial) })
const at = (version: string, arch = 'x86_64') => `/ubuntu/${version}/${arch}/${RELEASE}.btf.tar.xz`

describe('a bare release', () => {
  it('means the one kernel that has it, after everybody was asked who may', async () => {
    const origin = await startOrigin(serving({ [at('18.04')]: await archive(0) }))
    const service = await startFetching({ btfhubUrls: [origin.url] })
    expect(await relocate(service, { kernel: { release: RELEASE } })).toMatchObject({
      kernel: `ubuntu/18.04/x86_64/${RELEASE}`, source: 'btfhub', btfSha256: sha256(fooBtf())
    })
    expect(origin.asked).toEqual(expect.arrayContaining([at('16.04'), at('18.04'), at('16.04', 'arm64'), at('18.04', 'arm64')]))
    const { length } = origin.asked
    await relocate(service, { kernel: { release: RELEASE } })
    expect(origin.asked).toHaveLength(length)
  })

  it('means nothing where two have it with different BTF', async () => {
    const origin = await startOrigin(serving({ [at('16.04')]: await archive(0), [at('18.04')]: await archive(1) }))
    const service = await startFetching({ btfhubUrls: [origin.url] })
    const error = await failure('kernel_ambiguous', relocate(service, { kernel: { release: RELEASE } }))
    expect(error.details).toMatchObject({
      candidates: [{ reference: `ubuntu/16.04/x86_64/${RELEASE}`, source: 'btfhub' }, { reference: `ubuntu/18.04/x86_64/${RELEASE}` }]
    })
    expect((await relocate(service, { kernel: { release: RELEASE, distro: 'ubuntu', distroVersion: '18.04', arch: 'x86_64' } })).btfSha256)
      .toBe(sha256(fooBtf(1)))
  })

  it('means both where they have the same', async () => {
    const origin = await startOrigin(serving({ [at('16.04')]: await archive(0), [at('18.04')]: await archive(0) }))
    const service = await startFetching({ btfhubUrls: [origin.url] })
    expect((await relocate(service, { kernel: { release: RELEASE } })).kernel).toBe(RELEASE)
  })

  it('means nothing as long as one that may have it cannot be asked', async () => {
    const files = { [at('18.04')]: await archive(0) }
    const origin = await startOrigin((request, response) => {
      if (request.url === at('16.04')) response.writeHead(500).end()
      else serving(files)(request, response)
    })
    const service = await startFetching({ btfhubUrls: [origin.url] })
    for (let i = 0; i < 2; i++) {
      const error = await failure('source_failed', relocate(service, { kernel: { release: RELEASE } }))
      expect(error.details).toMatchObject({ source: 'btfhub', answer: expect.stringContaining(at('16.04')) })
    }
    expect((await relocate(service, { kernel: { release: RELEASE, distro: 'ubuntu', distroVersion: '18.04', arch: 'x86_64' } })).btfSha256)
      .toBe(sha256(fooBtf()))
    expect(origin.asked.filter(path => path === at('18.04'))).toHaveLength(1)
  })

  it('is not taken for the kernel that happens to be held because somebody named it wholly', async () => {
    const origin = await startOrigin(serving({ [at('16.04')]: await archive(0), [at('18.04')]: await archive(1) }))
    const service = await startFetching({ btfhubUrls: [origin.url] })
    await relocate(service, { kernel: { release: RELEASE, distro: 'ubuntu', distroVersion: '18.04', arch: 'x86_64' } })
    await failure('kernel_ambiguous', relocate(service, { kernel: { release: RELEASE } }))
  })

  it('stays answered after a restart while the source is gone', async () => {
    const origin = await startOrigin(serving({ [at('18.04')]: await archive(0) }))
    const folder = await temporaryFolder()
    const settings = { btfhubUrls: [origin.url], trustUploads: false, sources: { fetch: QUICK } }
    await relocate(await startService(folder, settings), { kernel: { release: RELEASE } })
    origin.answer = (_request, response) => response.writeHead(500).end()
    const { length } = origin.asked
    expect((await relocate(await startService(folder, settings), { kernel: { release: RELEASE } })).source).toBe('btfhub')
    expect(origin.asked).toHaveLength(length)
  })

  it('of which nobody can say whose it is costs no request', async () => {
    const origin = await startOrigin()
    const service = await startFetching({ btfhubUrls: [origin.url] })
    const error = await failure('kernel_unknown', relocate(service, { kernel: { release: '6.9.1-mine' } }))
    expect(error.details).toMatchObject({
      sources: expect.arrayContaining([{ source: 'btfhub', answer: expect.stringContaining('not asked') }])
    })
    expect(origin.asked).toEqual([])
  })
})

describe('a whole reference', () => {
  it('is answered under the name that was asked, whatever the archive calls its distribution', async () => {
    const release = '5.10.0-21-amd64'
    const origin = await startOrigin(serving({ [`/debian/bullseye/x86_64/${release}.btf.tar.xz`]: await archive(0, release) }))
    const service = await startFetching({ btfhubUrls: [origin.url] })
    expect((await relocate(service, { kernel: { distro: 'debian', distroVersion: '11', arch: 'x86_64', release } })).kernel)
      .toBe(`debian/11/x86_64/${release}`)
    expect((await relocate(service, { kernel: { distro: 'debian', distroVersion: 'bullseye', arch: 'x86_64', release } })).kernel)
      .toBe(`debian/bullseye/x86_64/${release}`)
    expect(origin.asked).toHaveLength(1)
  })

  it('of a kernel that SUSE built anew is answered only where all its builds agree', async () => {
    const sles = (build: string) => `/sles/12.5/x86_64/4.12.14-122.37${build}-default.btf.tar.xz`
    const builds = {
      [sles('.1')]: await archive(0, '4.12.14-122.37.1-default'), [sles('.2')]: await archive(1, '4.12.14-122.37.2-default')
    }
    const kernel = { distro: 'sles', distroVersion: '12.5', arch: 'x86_64', release: '4.12.14-122.37-default' }
    const origin = await startOrigin(serving(builds))
    const error = await failure('kernel_unknown', relocate(await startFetching({ btfhubUrls: [origin.url] }), { kernel }))
    expect(JSON.stringify(error.details)).toContain('has builds of it with different BTF')
    origin.answer = serving({ [sles('.1')]: builds[sles('.1')] ?? new Uint8Array() })
    expect((await relocate(await startFetching({ btfhubUrls: [origin.url] }), { kernel })).kernel)
      .toBe('sles/12.5/x86_64/4.12.14-122.37-default')
  })

  it('does not have its own record replaced by that of a source', async () => {
    const origin = await startOrigin(serving({ [at('18.04')]: await archive(1) }))
    const service = await startFetching({ btfhubUrls: [origin.url], trustUploads: true })
    const reference = { distro: 'ubuntu', distroVersion: '18.04', arch: 'x86_64', release: RELEASE }
    await service.putKernelBtf(reference, fooBtf(), { by: 'node', at: '2026-01-01T00:00:00.000Z', kernelVersion: '#1' })
    await failure('kernel_unknown', relocate(service, { kernel: { ...reference, kernelVersion: '#2' } }))
    expect((await relocate(service, { kernel: reference })).source).toBe('upload')
    expect(origin.asked).toEqual([])
  })

  it('is fetched where only an upload has it that may not answer for its name', async () => {
    const origin = await startOrigin(serving({ [at('18.04')]: await archive(1) }))
    const service = await startFetching({ btfhubUrls: [origin.url] })
    const reference = { distro: 'ubuntu', distroVersion: '18.04', arch: 'x86_64', release: RELEASE }
    await service.putKernelBtf(reference, fooBtf(), { by: 'node', at: '2026-01-01T00:00:00.000Z' })
    expect(await relocate(service, { kernel: reference })).toMatchObject({ source: 'btfhub', btfSha256: sha256(fooBtf(1)) })
    expect((await relocate(service, { btfSha256: sha256(fooBtf()) })).btfSha256).toBe(sha256(fooBtf()))
  })
})
