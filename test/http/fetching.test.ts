import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createOutcomes } from '../../src/fetch/refusals.js'
import { parseReference } from '../../src/identity/reference.js'
import type { KernelSource, SourceOutcome } from '../../src/kernels/sources/source.js'
import { createSourceRequests } from '../../src/kernels/source-requests.js'
import { sha256 } from '../../src/store/sha256.js'
import { startPackageRepository, type PackageRepository } from '../support/package-repository.js'
import { buildObject } from '../support/object-builder.js'
import { fooSpec } from '../support/corpus.js'
import { startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startAppWith, type Harness } from './harness.js'

const RELEASE = '6.1.0-51-amd64'
const KERNEL = `debian/12/x86_64/${RELEASE}`
const BTF = readFileSync(new URL('../fixtures/extraction/packed/vmlinux.btf', import.meta.url))

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
    // The request may take a moment only; the download is apart from it.
    const service = await startService(join(folder, 'cache'), { packages: [repository.writeSettings(folder)], trustUploads: false });
    ({ request } = await startAppWith(service))
  })

  const relocate = async (headers: Record<string, string> = {}): Promise<Response> =>
    await request('/relocate', { method: 'POST', headers, body: form({ object: buildObject(fooSpec()).bytes, kernel_release: KERNEL }) })

  it('is answered with 503, how far it is, and when to come again, and is there once it has come', async () => {
    const first = await relocate()
    const problem = await problemOf(first)
    expect([first.status, problem.code]).toEqual([503, 'fetching'])
    expect(Number(first.headers.get('retry-after'))).toBe(problem['retry_after'])
    expect(problem).toMatchObject({ kernel: KERNEL, retry_after: expect.any(Number), progress: { phase: expect.stringMatching(/^(?:index|queued|package)$/), bytes: expect.any(Number) } })
    await begun
    const total = repository.files.get(`pool/linux-image-${RELEASE}.deb`)?.length
    await expect.poll(async () => (await problemOf(await relocate()))['progress'], { timeout: 60_000 }).toMatchObject({ phase: 'package', bytes: Math.floor(Number(total) / 2), total })
    release()
    const waited = await request(`/kernels/${KERNEL}/btf`, { headers: { prefer: 'wait=300' } })
    expect([waited.status, sha256(new Uint8Array(await waited.arrayBuffer()))]).toEqual([200, sha256(BTF)])
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

describe('a question to a source', () => {
  const reference = parseReference(KERNEL)
  const requests = createSourceRequests({ outcomes: createOutcomes(), deadlineMs: 50, keep: async () => {}, keepModules: async () => true })
  /** A source that answers when the signal ends it, or when the test says so. */
  const slow = (deadlineMs?: number) => {
    let answer: (outcome: SourceOutcome) => void = () => {}
    const source: KernelSource = {
      name: `slow-${deadlineMs}`,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      candidates: async () => ({ state: 'listed', references: [] }),
      fetch: async (_reference, { signal }) => await new Promise(resolve => {
        answer = resolve
        signal.addEventListener('abort', () => { resolve({ state: 'timeout', answer: 'was not answered in time' }) })
      })
    }
    return { source, answer: (outcome: SourceOutcome) => { answer(outcome) } }
  }

  it('ends at the time limit of its own that a source has, and not at that of the others', async () => {
    const [others, patient, impatient] = [slow(), slow(3_600_000), slow(20)]
    const kept = requests.kernel(patient.source, reference, [])
    expect(await requests.kernel(others.source, reference, [])).toMatchObject({ state: 'timeout' })
    expect(await requests.kernel(impatient.source, reference, [])).toMatchObject({ state: 'timeout' })
    patient.answer({ state: 'absent', answer: 'has it not' })
    expect(await kept).toMatchObject({ state: 'absent' })
  })
})
