import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { launch, problemOf } from '../http/harness.js'
import { tarOf, tarXzOf, xzOf, ZEROS } from '../support/xz-writer.js'
import { BY_NODE, failure, fooBtf, relocate, temporaryFolder } from '../unit/service/lab.js'
import { NEEDS } from '../support/lab.js'
import { serving, shareProcess, startOrigin, type Shared } from './origin.js'
import { peakMemory, type ServiceProcess } from '../support/service.js'
import { archiveOf, KERNEL, moduleBtf, PATH, startFetching } from './sources.js'

const MIB = 1024 * 1024
const REFERENCE = 'ubuntu/20.04/x86_64/5.4.0-42-generic'

/**
 * A tar archive that announces a member of `size` bytes, as an .xz file that goes on with zeros for ever: `mebibytes` of them in a few
 * hundred bytes each.
 */
async function bombOf (size: number, mebibytes: number): Promise<Uint8Array> {
  const header = Buffer.from((await tarOf({ name: `${KERNEL.release}.btf`, bytes: new Uint8Array(1) })).subarray(0, 512))
  header.write(size.toString(8).padStart(11, '0'), 124, 'latin1')
  header.fill(' ', 148, 156)
  header.write(header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0'), 148, 'latin1')
  header[154] = 0
  return Buffer.concat([xzOf(header), ...Array.from({ length: mebibytes }, () => ZEROS)])
}

describe.skipIf(process.platform !== 'linux')('an archive that unfolds to more than there is memory', () => {
  const BOMBS = {
    'of zeros': async () => Buffer.concat(Array.from({ length: 4096 }, () => ZEROS)),
    'whose member is as large as it may be': async () => await bombOf(64 * MIB, 4096),
    'whose member is larger': async () => await bombOf(1024 * MIB, 4096),
    'whose member claims a size that a tar header can just hold': async () => await bombOf(0o77777777777, 16),
    'that stays just below the ratio that gives others away': async () =>
      Buffer.concat([await bombOf(64 * MIB, 0), ...Array.from({ length: 80 }, () => Buffer.concat([ZEROS, xzOf(randomBytes(12_000))]))])
  } as const
  let serial = 0

  /** Has the service fetch it for two kernels. Memory counts from what the first of all left, which has loaded the decoder. */
  async function expectCheap ({ origin, service }: Shared, bytes: Uint8Array): Promise<void> {
    origin.answer = (_request, response) => response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    const ask = async (): Promise<Response> =>
      await fetch(`${service.url}/kernels/${REFERENCE.replace('42', String(++serial))}/btf`)
    if (!bases.has(service)) {
      await ask()
      peakMemory(service)
      await fetch(`${service.url}/livez`)
      bases.set(service, peakMemory(service))
      origin.asked.length = 0
    }
    for (let i = 0; i < 2; i++) expect(await problemOf(await ask())).toMatchObject({ code: 'source_invalid' })
    expect(origin.asked).toHaveLength(2)
    expect((peakMemory(service) - (bases.get(service) ?? 0)) / MIB).toBeLessThan(128)
  }
  const bases = new Map<ServiceProcess, number>()

  describe('and is refused for what it announces', () => {
    const share = shareProcess()
    it.each([
      'of zeros', 'whose member is as large as it may be', 'whose member is larger',
      'whose member claims a size that a tar header can just hold'
    ] as const)('%s costs less than 128 MB', async name => { await expectCheap(share(), await BOMBS[name]()) })
  })

  describe('and is read to its end', () => {
    const share = shareProcess({ CORELO_DEADLINE_MS: '60000' }) // of its own, since it costs the most
    const name = 'that stays just below the ratio that gives others away'
    it(`${name} costs less than 128 MB`, async () => { await expectCheap(share(), await BOMBS[name]()) })
  })
})

describe('an uploaded .tar.xz', () => {
  it('is the BTF in it', async () => {
    const service = await startFetching({})
    const http = await launch(service)
    onTestFinished(() => http.app.close())
    const put = (body: Uint8Array, type = 'application/octet-stream') =>
      http.request(`/kernels/${REFERENCE}/btf`, { method: 'PUT', body, headers: { 'content-type': type } })
    const created = await put(await archiveOf(), 'application/x-xz')
    expect(created.status).toBe(201)
    expect(await created.json()).toMatchObject({ btf_sha256: sha256(fooBtf()), bytes: fooBtf().length, source: 'upload' })
    expect((await put(fooBtf())).status).toBe(200)
    expect((await put(await archiveOf())).status).toBe(200)
    expect((await put(await archiveOf(fooBtf(1)))).status).toBe(201)
    const problem = await problemOf(await put(await tarXzOf({ name: '5.4.0-43-generic.btf', bytes: fooBtf() })))
    expect(problem).toMatchObject({ code: 'btf_invalid', detail: expect.stringContaining('another kernel') })
  })

  it('brings its modules', async () => {
    const service = await startFetching({ trustUploads: true })
    await service.putKernelBtf(
      KERNEL, await tarXzOf({ name: 'vmlinux', bytes: fooBtf() }, { name: 'nf_foo.ko', bytes: moduleBtf() }), BY_NODE
    )
    expect((await relocate(service, { kernel: KERNEL, modules: ['nf_foo'] })).moduleSha256s).toEqual([sha256(moduleBtf())])
  })

  it('may not hold more than the limit for BTF', async () => {
    const service = await startFetching({ maxBtfBytes: 100_000 })
    await failure('too_large', service.putKernelBtf(KERNEL, await bombOf(200_000, 1), BY_NODE))
    await failure('too_large', service.putKernelBtf(KERNEL, new Uint8Array(100_001), BY_NODE))
  })
})

describe('what an archive may look like', () => {
  it.each([
    ['the release', `${KERNEL.release}.btf`], ['the release, in a folder', `btf/${KERNEL.release}.btf`], ['vmlinux', 'vmlinux'],
    ['anything', 'kernel'], ['vmlinux.btf', 'vmlinux.btf']
  ])('a file named after %s', async (_what, name) => {
    const origin = await startOrigin(serving({ [PATH]: await tarXzOf({ name, bytes: fooBtf() }) }))
    expect((await relocate(await startFetching({ btfhubUrls: [origin.url] }), { kernel: KERNEL })).btfSha256).toBe(sha256(fooBtf()))
  })

  it('with files that are not about BTF beside the one that is named after the release', async () => {
    const origin = await startOrigin(serving({
      [PATH]: await tarXzOf({ name: 'README', bytes: Buffer.from('text') }, { name: `${KERNEL.release}.btf`, bytes: fooBtf() })
    }))
    expect((await relocate(await startFetching({ btfhubUrls: [origin.url] }), { kernel: KERNEL })).btfSha256).toBe(sha256(fooBtf()))
  })

  it('the same as xz and tar read it', async () => {
    const folder = await temporaryFolder()
    const { status, stdout } = spawnSync('sh', ['-c', 'cd "$0" && tar -xJf - && cat *.btf', folder], { input: await archiveOf() })
    if (status === 127) return
    expect(stdout.equals(Buffer.from(fooBtf()))).toBe(true)
  })
})

describe.skipIf(!NEEDS.archive.isHere())("kernels of BTFHub's archive", () => {
  const root = process.env['CORELO_SHARED'] ?? join(import.meta.dirname, '../../../shared/btfhub-archive')
  const paths = (NEEDS.archive.isHere() ? readdirSync(root, { recursive: true, encoding: 'utf8' }) : []).filter(path =>
    path.endsWith('.btf.tar.xz'))

  it.each(paths)('%s, over HTTP and from the directory', async path => {
    const expected = spawnSync('tar', ['-xJOf', join(root, path)], { maxBuffer: 1e8 }).stdout
    const origin = await startOrigin(serving({ [`/${path}`]: readFileSync(join(root, path)) }))
    const [distro = '', distroVersion = '', arch = '', file = ''] = path.split('/')
    const kernel = { distro, distroVersion, arch, release: file.replace('.btf.tar.xz', '') }
    for (const settings of [{ btfhubUrls: [origin.url] }, { btfhubDir: root }]) {
      const { bytes, sha256: hash } = await (await startFetching(settings)).getKernelBtf(kernel)
      expect(hash).toBe(sha256(expected))
      expect(expected.equals(bytes)).toBe(true)
    }
  })
})
