import { appendFile, mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { contentPath, failure, fooBtf, fooObject, offsetOfY, relocate, startService, temporaryFolder } from '../unit/service/lab.js'
import { tarXzOf } from '../support/xz-writer.js'
import { serving, startOrigin } from './origin.js'
import { archiveOf, KERNEL, moduleBtf, PATH, QUICK, questions, startFetching } from './sources.js'

const archive = await archiveOf()
const other = await archiveOf(fooBtf(1))

describe('a source that was gone', () => {
  it('is asked again once its failure is no longer believed, and then answers', async () => {
    const origin = await startOrigin((_request, response) => response.writeHead(502).end())
    const service = await startFetching({ btfhubUrls: [origin.url], sources: { fetch: QUICK, lifetimes: { failed: 200, jitter: 0 } } })
    await failure('source_failed', relocate(service, { kernel: KERNEL }))
    expect(origin.asked).toHaveLength(3)

    origin.answer = serving({ [PATH]: archive })
    const error = await failure('source_failed', relocate(service, { kernel: KERNEL }))
    expect(origin.asked).toHaveLength(3)
    expect(error.details).toMatchObject({ source: 'btfhub', retry_after: 1 })
    await sleep(250)
    expect(await relocate(service, { kernel: KERNEL })).toMatchObject({ source: 'btfhub', kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic' })
    expect(origin.asked).toHaveLength(4)
  })

  it('comes back within one request where its failure was short', async () => {
    const origin = await startOrigin()
    let failures = 2
    origin.answer = (request, response) =>
      failures-- > 0 ? request.socket.resetAndDestroy() : serving({ [PATH]: archive })(request, response)
    const service = await startFetching({ btfhubUrls: [origin.url] })
    expect((await relocate(service, { kernel: KERNEL })).source).toBe('btfhub')
    expect(origin.asked).toHaveLength(3)
  })

  it('is waited for where it says for how long, and that is short', async () => {
    const origin = await startOrigin()
    let refusals = 1
    origin.answer = (request, response) =>
      refusals-- > 0 ? response.writeHead(429, { 'retry-after': '1' }).end() : serving({ [PATH]: archive })(request, response)
    const service = await startFetching({ btfhubUrls: [origin.url], sources: { fetch: { ...QUICK, retryMaxMs: 2000 } } })
    const started = performance.now()
    expect((await relocate(service, { kernel: KERNEL })).source).toBe('btfhub')
    expect(performance.now() - started).toBeGreaterThan(950)
    expect(origin.asked).toHaveLength(2)
  })

  it('is left alone while most of what it is asked fails, and nobody waits for it', async () => {
    const origin = await startOrigin((_request, response) => response.writeHead(500).end())
    const service = await startFetching({ btfhubUrls: [origin.url] })
    for (let i = 0; i < 8; i++) await failure('source_failed', relocate(service, { kernel: { ...KERNEL, release: `5.4.0-${i}-generic` } }))
    const before = origin.asked.length
    expect(before).toBeLessThan(8 * 3)
    const error = await failure('source_failed', relocate(service, { kernel: { ...KERNEL, release: '5.4.0-99-generic' } }))
    expect(error.details).toMatchObject({ answer: expect.stringContaining('is left alone'), retry_after: expect.any(Number) })
    expect(origin.asked).toHaveLength(before)
  })

  it('is stood in for by a mirror, in the order of the setting', async () => {
    const primary = await startOrigin((_request, response) => response.writeHead(404).end())
    const mirror = await startOrigin(serving({ [`/btf/hub${PATH}`]: archive }))
    const service = await startFetching({ btfhubUrls: [primary.url, `${mirror.url}/btf/hub/`] })
    expect((await relocate(service, { kernel: KERNEL })).source).toBe('btfhub')
    expect([primary.asked, mirror.asked]).toEqual([[PATH], [`/btf/hub${PATH}`]])
  })

  it('does not make a kernel unknown that a mirror does not have', async () => {
    const primary = await startOrigin((_request, response) => response.writeHead(500).end())
    const mirror = await startOrigin()
    const service = await startFetching({ btfhubUrls: [primary.url, mirror.url] })
    await failure('source_failed', relocate(service, { kernel: KERNEL }))
  })
})

describe('a redirect', () => {
  it('is followed to an origin that the operator named, without the credentials of the first', async () => {
    const mirror = await startOrigin(serving({ [PATH]: archive }))
    const origin = await startOrigin((_request, response) => response.writeHead(302, { location: `${mirror.url}${PATH}` }).end())
    const service = await startFetching({ btfhubUrls: [origin.url.replace('http://', 'http://user:se%20cret@'), mirror.url] })
    expect((await relocate(service, { kernel: KERNEL })).source).toBe('btfhub')
    expect(origin.headers[0]?.authorization).toBe(`Basic ${Buffer.from('user:se cret').toString('base64')}`)
    expect(mirror.headers.map(headers => headers.authorization)).toEqual([undefined])
    expect(JSON.stringify(await service.getKernel(KERNEL))).not.toContain('cret')
  })
})

describe('what was fetched', () => {
  it('is used while it is old, and asked for again in the background with its ETag', async () => {
    const origin = await startOrigin(serving({ [PATH]: archive }, '"v1"'))
    const service = await startFetching({ btfhubUrls: [origin.url], sources: { fetch: QUICK, staleMs: 100 } })
    await relocate(service, { kernel: KERNEL })
    const { provenance } = await service.getKernel(KERNEL)
    expect(origin.headers[0]?.['if-none-match']).toBeUndefined()
    await sleep(120)
    await relocate(service, { kernel: KERNEL })
    await expect.poll(async () => (await service.getKernel(KERNEL)).provenance.checkedAt).not.toBe(provenance.checkedAt)
    expect(origin.headers[1]?.['if-none-match']).toBe('"v1"')
    expect(questions(service)).toMatchObject({ found: 1, unchanged: expect.any(Number) })
  })

  it('answers for its kernel when its source is gone, however old', async () => {
    const origin = await startOrigin(serving({ [PATH]: archive }))
    const folder = await temporaryFolder()
    const settings = { btfhubUrls: [origin.url], trustUploads: false, sources: { fetch: QUICK, staleMs: 1 } }
    await relocate(await startService(folder, settings), { kernel: KERNEL })
    origin.answer = (_request, response) => response.writeHead(503).end()
    const restarted = await startService(folder, settings)
    for (let i = 0; i < 3; i++) expect((await relocate(restarted, { kernel: KERNEL })).source).toBe('btfhub')
    await expect.poll(async () => questions(restarted)).toEqual({ failed: 1 })
  })

  it('is replaced when the source has something else', async () => {
    const origin = await startOrigin(serving({ [PATH]: archive }, '"v1"'))
    const service = await startFetching({ btfhubUrls: [origin.url], sources: { fetch: QUICK, staleMs: 50 } })
    expect((await relocate(service, { kernel: KERNEL })).btfSha256).toBe(sha256(fooBtf()))
    origin.answer = serving({ [PATH]: other }, '"v2"')
    await sleep(60)
    await relocate(service, { kernel: KERNEL })
    await expect.poll(async () => (await relocate(service, { kernel: KERNEL })).btfSha256).toBe(sha256(fooBtf(1)))
    expect(service.warnings.join()).toContain('A source has other BTF for a kernel than before')
  })

  it.each([
    ['is deleted', async (file: string) => { await rm(file) }],
    ['has a flipped byte', async (file: string) => { await appendFile(file, 'x') }]
  ])('is fetched again when its file %s, whether it is asked for by name or by hash', async (_what, damage) => {
    const origin = await startOrigin(serving({ [PATH]: archive }))
    const folder = await temporaryFolder()
    const settings = { btfhubUrls: [origin.url], trustUploads: false, sources: { fetch: QUICK } }
    await relocate(await startService(folder, settings), { kernel: KERNEL })
    const file = contentPath(folder, 'btf', sha256(fooBtf()))

    const asks = [
      { kernel: KERNEL },
      { btfSha256: sha256(fooBtf()) }
    ]
    for (const [i, ask] of asks.entries()) {
      await damage(file)
      const restarted = await startService(folder, settings) // a memory that holds it would hide the damage
      // Another object each time: what is known of one is known without the BTF.
      expect(offsetOfY(await relocate(restarted, { ...ask, object: fooObject(i + 1) }))).toBe(12)
      expect(origin.asked).toHaveLength(i + 2)
      await restarted.close()
    }
    await damage(file)
    const restarted = await startService(folder, settings)
    expect(Buffer.from((await restarted.getKernelBtf(KERNEL)).bytes).equals(fooBtf())).toBe(true)
    expect(origin.asked).toHaveLength(4)
  })
})

describe('a directory in BTFHub\'s layout', () => {
  const write = async (root: string, path: string, bytes: Uint8Array) => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), bytes)
  }

  it('is asked before anybody else, packed and raw', async () => {
    const origin = await startOrigin()
    const root = await temporaryFolder()
    await write(root, PATH, archive)
    await write(root, PATH.replace('-42-', '-43-').replace('.tar.xz', ''), fooBtf(1))
    const service = await startFetching({ btfhubDir: root, btfhubUrls: [origin.url] })
    expect(await relocate(service, { kernel: KERNEL })).toMatchObject({ source: 'directory', btfSha256: sha256(fooBtf()) })
    expect(await relocate(service, { kernel: { ...KERNEL, release: '5.4.0-43-generic' } })).toMatchObject({
      source: 'directory', btfSha256: sha256(fooBtf(1))
    })
    expect(origin.asked).toEqual([])
    expect((await service.getKernel(KERNEL)).provenance).toMatchObject({ by: 'directory', url: PATH.slice(1) })
  })

  it('is asked again for a file that was replaced', async () => {
    const root = await temporaryFolder()
    await write(root, PATH, archive)
    const service = await startFetching({ btfhubDir: root, sources: { staleMs: 1 } })
    await relocate(service, { kernel: KERNEL })
    await sleep(5)
    await relocate(service, { kernel: KERNEL })
    await expect.poll(async () => questions(service)).toMatchObject({ unchanged: expect.any(Number) })
    await write(root, PATH, other)
    await utimes(join(root, PATH), 1, 1)
    await expect.poll(async () => (await relocate(service, { kernel: KERNEL })).btfSha256).toBe(sha256(fooBtf(1)))
  })

  it('and an archive over HTTP both say what they do not have', async () => {
    const origin = await startOrigin()
    const service = await startFetching({ btfhubDir: await temporaryFolder(), btfhubUrls: [origin.url] })
    const error = await failure('kernel_unknown', relocate(service, { kernel: KERNEL }))
    expect(error.details).toMatchObject({
      sources: [
        { source: 'local' },
        { source: 'directory', answer: 'ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz is not there' },
        { source: 'btfhub', answer: `${origin.url}${PATH} answered 404` },
        { source: 'upload' }
      ]
    })
  })
})

describe('modules in an archive', () => {
  it('are split BTF of the vmlinux beside them; one that cannot be read is left out', async () => {
    const packed = await tarXzOf(
      { name: './', type: 'directory' }, { name: './vmlinux', bytes: fooBtf() }, { name: './nf_foo', bytes: moduleBtf() },
      { name: './broken', bytes: Buffer.from('x') }
    )
    const origin = await startOrigin(serving({ [PATH]: packed }))
    const service = await startFetching({ btfhubUrls: [origin.url] })
    expect((await service.getKernel(KERNEL)).modules).toMatchObject([{ name: 'nf_foo', source: 'btfhub' }])
    expect((await relocate(service, { kernel: KERNEL, modules: ['nf_foo'] })).moduleSha256s).toEqual([sha256(moduleBtf())])
    expect(service.warnings.join()).toContain('The BTF of some modules of a kernel cannot be used')
  })
})
