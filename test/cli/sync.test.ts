import { createServer, type RequestListener } from 'node:http'
import { existsSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { startAppWith } from '../http/harness.js'
import { startPackageRepository, type PackageRepository } from '../support/package-repository.js'
import { BY_NODE, contentPath, startService, type StartedService } from '../unit/service/lab.js'
import { coreloText, removeFoldersAfterEach, ROOT, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const BTF = readFileSync(join(ROOT, 'test/fixtures/extraction/packed/vmlinux.btf'))
const nameOf = (release: string): string => `debian/12/x86_64/${release}`
const REFERENCE = { distro: 'debian', distroVersion: '12', arch: 'x86_64' }

let repository: PackageRepository
beforeAll(async () => {
  repository = await startPackageRepository()
  await repository.publish('6.1.0-51-amd64', '6.1.0-52-amd64', '6.1.0-53-amd64')
})
afterAll(async () => { await repository.close() })

/** Packages of these releases are not there, although the index lists them. */
function lose (...releases: readonly string[]): void {
  repository.intercept = (_request, response, path) => {
    const isLost = releases.some(release => path.includes(release))
    if (isLost) response.writeHead(404).end()
    return isLost
  }
  onTestFinished(() => { repository.intercept = undefined })
}

const downloads = (): string[] => repository.requests.filter(path => path.startsWith('pool/'))

async function sync (...args: readonly string[]) { return await coreloText(['btf', 'sync', ...args]) }

interface Output {
  readonly kernels: ReadonlyArray<{
    readonly reference: string
    readonly state: string
    readonly package?: string
    readonly bytes?: number
    readonly reason?: string
  }>
}
const statesIn = (stdout: string): string[] => (JSON.parse(stdout) as Output).kernels.map(({ reference, state }) => `${reference} ${state}`)

describe('corelo btf sync', () => {
  it('fetches the newest of those that fit into the cache, and what is held not again', async () => {
    const folder = temporaryFolder()
    const place = ['--packages', repository.writeSettings(folder), '--cache-dir', join(folder, 'cache')]
    const first = await sync('debian/12/amd64/*', '--newest', '2', ...place)
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('2 of 2 kernels are held') })
    expect(first.stdout.split('\n')).toEqual([
      expect.stringMatching(/^KERNEL +STATE +PACKAGE +BYTES$/),
      expect.stringMatching(/^debian\/12\/x86_64\/6\.1\.0-53-amd64 +fetched +linux-image-6\.1\.0-53-amd64 +\d+$/),
      expect.stringMatching(/^debian\/12\/x86_64\/6\.1\.0-52-amd64 +fetched +linux-image-6\.1\.0-52-amd64 +\d+$/),
      ''
    ])
    expect(existsSync(contentPath(join(folder, 'cache'), 'layout', sha256(BTF)))).toBe(true)
    const before = downloads().length
    const { code, stdout } = await sync('debian/12/*/*', ...place, '--json')
    expect([code, ...statesIn(stdout)]).toEqual([
      0, `${nameOf('6.1.0-53-amd64')} held`, `${nameOf('6.1.0-52-amd64')} held`, `${nameOf('6.1.0-51-amd64')} fetched`
    ])
    expect(downloads().slice(before)).toEqual(['pool/linux-image-6.1.0-51-amd64.deb'])
    const listed = await coreloText(['btf', 'list', '--cache-dir', join(folder, 'cache'), '--json'])
    expect(JSON.parse(listed.stdout).kernels).toMatchObject(Array.from({ length: 3 }, () =>
      ({ btf_sha256: sha256(BTF), source: 'packages' })))
  })

  it('says which kernels could not be fetched and why, and tells some from all by its exit code', async () => {
    const folder = temporaryFolder()
    const place = ['--packages', repository.writeSettings(folder), '--cache-dir', join(folder, 'cache')]
    lose('6.1.0-52')
    const some = await sync('6.1.0-5[23]-*', '6.1.0-52-*', '6.1.0-53-*', ...place)
    expect(some).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('"6.1.0-5[23]-*" is no pattern of kernels') })
    const partly = await sync('6.1.0-52-*', '6.1.0-53-*', ...place)
    expect(partly).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/6\.1\.0-52-amd64 +failed/),
      stderr: expect.stringMatching(/6\.1\.0-52-amd64: .*the mirror is out of date[\s\S]*1 of 2 kernels are held/)
    })
    const none = await sync('6.1.0-52-*', ...place, '--json')
    expect([none.code, ...statesIn(none.stdout)]).toEqual([3, `${nameOf('6.1.0-52-amd64')} failed`])
  })

  it('refuses what it cannot do, with what to do instead', async () => {
    const folder = temporaryFolder()
    const settings = repository.writeSettings(folder)
    const cache = ['--cache-dir', join(folder, 'cache')]
    expect(await sync('ubuntu/22.04/x86_64/*', '--packages', settings, ...cache)).toMatchObject({
      code: 3, stdout: '', stderr: expect.stringContaining('publish no kernel ubuntu/22.04/x86_64/*')
    })
    expect(await sync('*', '--newest', '0', '--packages', settings, ...cache)).toMatchObject({
      code: 2, stderr: expect.stringContaining('--newest must be a whole number above 0')
    })
    expect(await sync('*', ...cache)).toMatchObject({ code: 2, stderr: expect.stringContaining('--packages or CORELO_PACKAGES') })
    expect(await sync('*', '--server', 'http://127.0.0.1:1', '--packages', 'debian')).toMatchObject({
      code: 2, stderr: expect.stringContaining('leave --cache-dir and --packages out')
    })
    expect(await sync('*', '--token-file', 'token', '--packages', settings)).toMatchObject({
      code: 2, stderr: expect.stringContaining('--token-file goes with --server')
    })
  })
})

/** A service whose one source is the repository. */
async function startRemote (): Promise<{ readonly service: StartedService, readonly url: string }> {
  const folder = temporaryFolder()
  const service = await startService(join(folder, 'cache'), { packages: [repository.writeSettings(folder)], trustUploads: false })
  await service.refreshCatalog()
  const { url } = await startAppWith(service)
  return { service, url }
}

/** A server in the place of a service. */
async function startFake (answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  onTestFinished(() => { server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('corelo btf sync --server', () => {
  it('has the service fetch from its own sources, and then holds them there', async () => {
    const { service, url } = await startRemote()
    const before = downloads().length
    const first = await sync('debian/12/x86_64/*', '--newest', '1', '--server', url)
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining(`1 of 1 kernel is held by ${url}`) })
    expect(first.stdout).toMatch(/6\.1\.0-53-amd64 +fetched +linux-image-6\.1\.0-53-amd64 +\d+\n/)
    expect(downloads().length - before).toBe(1)
    expect(await service.getKernel({ ...REFERENCE, release: '6.1.0-53-amd64' })).toMatchObject({
      btfSha256: sha256(BTF), source: 'packages'
    })
    // Somebody's word is not what the distribution publishes.
    await service.putKernelBtf({ ...REFERENCE, release: '6.1.0-52-amd64' }, BTF, BY_NODE)
    const { code, stdout } = await sync('*', '--server', url, '--newest', '2', '--json')
    expect([code, ...statesIn(stdout)]).toEqual([0, `${nameOf('6.1.0-53-amd64')} held`, `${nameOf('6.1.0-52-amd64')} fetched`])
    expect(downloads().length - before).toBe(2)
    const listed = await coreloText(['btf', 'list', '--server', url])
    expect(listed.stderr).toContain(`2 kernels in ${url}`)
    expect(listed.stdout).not.toContain('6.1.0-51-amd64')
  })

  it('says of each kernel why the service cannot have it', async () => {
    const { url } = await startRemote()
    lose('6.1.0-51')
    const { code, stdout, stderr } = await sync('debian/12/x86_64/6.1.0-5*', '--server', url)
    expect(code).toBe(1)
    expect(stdout).toMatch(/6\.1\.0-51-amd64 +failed/)
    expect(stderr).toMatch(/6\.1\.0-51-amd64: .*the mirror is out of date/)
  })

  it('waits while the service is fetching, and asks for no more than the pattern needs', async () => {
    const asked: string[] = []
    const kernel = {
      reference: nameOf('6.1.0-51-amd64'), source: null, btf_sha256: null, bytes: null, types: null, modules: [], published: null
    }
    const url = await startFake((request, response) => {
      asked.push(`${request.url ?? ''} ${String(request.headers.prefer ?? '')}`.trim())
      if (request.url?.startsWith('/kernels?') === true) {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ kernels: [kernel], next_cursor: null }))
      } else if (asked.length === 2) {
        response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '0' })
          .end(JSON.stringify({ code: 'fetching', detail: 'It is being fetched.', progress: { phase: 'package', bytes: 1, total: 2 } }))
      } else {
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ ...kernel, source: 'packages', btf_sha256: sha256(BTF) }))
      }
    })
    const { code, stdout } = await sync('debian/12/x86_64/6.1.0-*', '--server', url)
    expect(code).toBe(0)
    expect(stdout).toMatch(/6\.1\.0-51-amd64 +fetched/)
    expect(asked).toEqual([
      '/kernels?distro=debian&distro_version=12&arch=x86_64&offered=true', `/kernels/${kernel.reference} wait=5`,
      `/kernels/${kernel.reference} wait=5`
    ])
  })

  it('tells what it cannot ask: a service that is not there, one that wants a token, and something else', async () => {
    expect(await sync('*', '--server', await startFake((_request, response) => { response.writeHead(200).end('hello') }))).toMatchObject({
      code: 3, stderr: expect.stringContaining('something else than JSON')
    })
    const refusing = await startFake((_request, response) => {
      response
        .writeHead(401, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify({ code: 'unauthorized', detail: 'Send a token.' }))
    })
    expect(await sync('*', '--server', refusing)).toMatchObject({
      code: 3, stdout: '', stderr: 'corelo: Send a token. Here: --token-file FILE.\n'
    })
  })
})
