import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { form, launch, problemOf } from '../http/harness.js'
import { fooBtf, fooObject } from '../unit/service/lab.js'
import { serving, startOrigin, type Origin } from './origin.js'
import { archiveOf, KERNEL, PATH, questions, startFetching } from './sources.js'

const CALLERS = 1000
const archive = await archiveOf()

/** A service that listens, with an origin that answers once the test lets it. */
async function startHerd (answer: Origin['answer']) {
  let open = (): void => {}
  const gate = new Promise<void>(resolve => { open = resolve })
  const origin = await startOrigin(async (request, response) => {
    await gate
    answer(request, response)
  })
  const service = await startFetching({ btfhubUrls: [origin.url], workers: 2, sources: {} })
  const http = await launch(service)
  onTestFinished(() => http.app.close())
  const relocate = (signal?: AbortSignal): Promise<Response> => http.request('/relocate', {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: form({ object: fooObject(), kernel_release: `${KERNEL.distro}/${KERNEL.distroVersion}/${KERNEL.arch}/${KERNEL.release}` }),
    ...(signal === undefined ? {} : { signal })
  })
  return { origin, service, http, relocate, open }
}

describe('a thousand requests at once for a kernel that is not held', () => {
  it('cost one request upstream and one parse, and the first caller takes nobody with it when it leaves', async () => {
    const { origin, service, http, relocate, open } = await startHerd(serving({ [PATH]: archive }))
    const leaving = new AbortController()
    const first = relocate(leaving.signal).then(() => 'answered', () => 'left')
    while (origin.asked.length === 0) await sleep(5)
    const others = Array.from({ length: CALLERS }, () => relocate())
    while (service.stats().sourceWaiters < CALLERS) await sleep(5)
    leaving.abort()
    await sleep(50)
    open()

    const answers = await Promise.all(others)
    expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([200]))
    const report = await answers[0]?.json() as { kernel: object, counts: object }
    expect(report).toMatchObject({ kernel: { reference: 'ubuntu/20.04/x86_64/5.4.0-42-generic', source: 'btfhub' }, counts: { resolved: 1 } })
    expect(await first).toBe('left')
    expect(origin.asked).toEqual([PATH])
    expect(questions(service)).toEqual({ found: 1 })
    // One GET, one unpacking and parsing, one relocation; nothing was read back from disk.
    expect(service.stats()).toMatchObject({ cache: { relocations: 1, files_written: 1, btf_misses: 0 }, sourceWaiters: 0 })
    const metrics = await (await http.request('/metrics')).text()
    expect(metrics).toContain('corelo_source_requests_total{source="btfhub",outcome="found"} 1')
    expect(metrics).not.toContain(KERNEL.release)
  }, 60_000)

  it.each([
    ['a kernel that nobody has', 404, 'kernel_unknown', 1],
    ['a source that fails', 500, 'source_failed', 3],
    ['a source that refuses', 403, 'source_failed', 1]
  ] as const)('cost as little for %s', async (_name, status, code, requests) => {
    const { origin, service, relocate, open } = await startHerd((_request, response) => response.writeHead(status).end())
    const leaving = new AbortController()
    const first = relocate(leaving.signal).then(() => 'answered', () => 'left')
    while (origin.asked.length === 0) await sleep(5)
    const others = Array.from({ length: CALLERS }, () => relocate())
    while (service.stats().sourceWaiters < CALLERS) await sleep(5)
    leaving.abort()
    open()

    const problems = await Promise.all(others.map(async answer => await problemOf(await answer)))
    expect(new Set(problems.map(problem => problem.code))).toEqual(new Set([code]))
    expect(await first).toBe('left')
    expect(origin.asked).toHaveLength(requests)
    expect((await relocate()).status).toBe(problems[0]?.status)
    expect(origin.asked).toHaveLength(requests)
  }, 60_000)
})

describe('one request for a kernel that is not held', () => {
  it('says how long its source took, and the next one that it took none', async () => {
    const { relocate, open } = await startHerd(serving({ [PATH]: archive }))
    setTimeout(open, 100)
    const timing = async () => /fetch;dur=([\d.]+)/.exec((await relocate()).headers.get('server-timing') ?? '')?.[1]
    expect(Number(await timing())).toBeGreaterThan(95)
    expect(Number(await timing())).toBe(0)
  })

  it('is answered by GET /kernels too, with where the BTF came from', async () => {
    const { http, open } = await startHerd(serving({ [PATH]: archive }, '"abc"'))
    open()
    const entry = await (await http.request('/kernels/ubuntu/20.04/amd64/5.4.0-42-generic')).json() as { provenance: object }
    expect(entry).toMatchObject({ reference: 'ubuntu/20.04/x86_64/5.4.0-42-generic', source: 'btfhub', bytes: fooBtf().length, provenance: { by: 'btfhub', etag: '"abc"', url: expect.stringContaining(PATH) } })
    const btf = await http.request('/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic/btf')
    expect(Buffer.from(await btf.arrayBuffer()).equals(fooBtf())).toBe(true)
  })
})
