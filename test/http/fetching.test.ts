import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { startPackageRepository, type PackageRepository } from '../support/package-repository.js'
import { packed } from '../unit/formats/packed.js'
import { fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startAppWith, type Harness } from './harness.js'

const RELEASE = '6.1.0-51-amd64'
const KERNEL = `debian/12/x86_64/${RELEASE}`

describe('a kernel whose package is being downloaded', () => {
  let repository: PackageRepository
  let request: Harness['request']
  let release: () => void
  /** Resolves when the package has been asked for. */
  let begun: Promise<void>

  /** A package of which the first half has come; the rest comes when the test says so. */
  beforeEach(async () => {
    repository = await startPackageRepository()
    const folder = await temporaryFolder()
    onTestFinished(() => { release() })
    onTestFinished(() => repository.close())
    await repository.publish(RELEASE)
    const held = new Promise<void>(resolve => { release = resolve })
    begun = new Promise<void>(resolve => {
      repository.intercept = async (_request, response, path) => {
        const bytes = repository.files.get(path)
        if (bytes === undefined || !path.startsWith('pool/')) return false
        response.writeHead(200, { 'content-length': bytes.length })
        response.write(bytes.subarray(0, bytes.length / 2))
        resolve()
        await held
        response.end(bytes.subarray(bytes.length / 2))
        return true
      }
    })
    const service = await startService(join(folder, 'cache'), { packages: [repository.writeSettings(folder)], trustUploads: false });
    ({ request } = await startAppWith(service))
  })

  const relocate = async (headers: Record<string, string> = {}): Promise<Response> =>
    await request('/relocate', { method: 'POST', headers, body: form({ object: fooObject(), kernel_release: KERNEL }) })

  it('is answered with 503, how far it is, and when to come again, and is there once it has come', async () => {
    const first = await relocate()
    const problem = await problemOf(first)
    expect([first.status, problem.code]).toEqual([503, 'fetching'])
    expect(Number(first.headers.get('retry-after'))).toBe(problem['retry_after'])
    expect(problem).toMatchObject({
      kernel: KERNEL,
      retry_after: expect.any(Number),
      progress: { phase: expect.stringMatching(/^(?:index|queued|package)$/), bytes: expect.any(Number) }
    })
    await begun
    const total = repository.files.get(`pool/linux-image-${RELEASE}.deb`)?.length
    await expect
      .poll(async () => (await problemOf(await relocate()))['progress'])
      .toMatchObject({ phase: 'package', bytes: Math.floor(Number(total) / 2), total })
    release()
    const waited = await request(`/kernels/${KERNEL}/btf`, { headers: { prefer: 'wait=300' } })
    expect([waited.status, sha256(new Uint8Array(await waited.arrayBuffer()))]).toEqual([200, sha256(packed('vmlinux.btf'))])
    expect(repository.requests.filter(path => path.startsWith('pool/'))).toHaveLength(1)
  })

  it('is waited for as long as Prefer: wait says', async () => {
    const short = relocate({ prefer: 'wait=1' })
    const long = request(`/kernels/${KERNEL}/btf`, { headers: { prefer: 'respond-async, wait=300' } })
    expect((await short).status).toBe(503) // while the other still waits
    release()
    expect((await long).status).toBe(200)
  })
})
