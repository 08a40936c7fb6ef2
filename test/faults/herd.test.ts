import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { launch } from '../http/harness.js'
import { fooBtf, fooObject } from '../unit/service/lab.js'
import { serving, shareProcess, startOrigin, type Origin, type Shared } from './origin.js'
import { metricOf } from '../support/service.js'
import { archiveOf, KERNEL, PATH, startFetching } from './sources.js'

const REFERENCE = `${KERNEL.distro}/${KERNEL.distroVersion}/${KERNEL.arch}/${KERNEL.release}`
const OBJECT = fooObject()
const archive = await archiveOf()

/** An answer that comes once the test lets it. */
function gated (answer: Origin['answer']): { answer: Origin['answer'], open: () => void } {
  let open = (): void => {}
  const gate = new Promise<void>(resolve => { open = resolve })
  return {
    answer: async (request, response) => {
      await gate
      answer(request, response)
    },
    open
  }
}

interface Answer { readonly status: number, readonly timing: string, readonly body: Record<string, unknown> }

/** The lightest client there is: hundreds of them share the machine with the service. */
function relocate (url: string, reference = REFERENCE, signal?: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/relocate?kernel_release=${encodeURIComponent(reference)}`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/x-elf', accept: 'application/json' },
      ...(signal === undefined ? {} : { signal })
    })
    outgoing.once('error', reject)
    outgoing.once('response', response => {
      text(response).then(body => {
        resolve({
          status: response.statusCode ?? 0,
          timing: String(response.headers['server-timing']),
          body: JSON.parse(body) as Record<string, unknown>
        })
      }, reject)
    })
    outgoing.end(OBJECT)
  })
}

/** A caller who comes back when the machine, which all of them share with the service, is too slow for its own overload protection. */
async function relocatePatiently (url: string, reference: string): Promise<Answer> {
  for (;;) {
    const answer = await relocate(url, reference)
    if (answer.status !== 503) return answer
    await sleep(1000)
  }
}

/** Many callers, of whom the first leaves when all of them wait. */
async function stampede ({ origin, service }: Shared, reference: string, callers: number, answer: Origin['answer']): Promise<Answer[]> {
  const { answer: waiting, open } = gated(answer)
  origin.answer = waiting
  const leaving = new AbortController()
  const first = relocate(service.url, reference, leaving.signal).then(() => 'answered', () => 'left')
  while (origin.asked.length === 0) await sleep(5)
  const others = Promise.all(Array.from({ length: callers }, () => relocatePatiently(service.url, reference)))
  others.catch(() => {}) // the test may fail before it looks at them
  // All of them, unless the machine is so slow that the source would be given up meanwhile.
  const giveUp = performance.now() + 7_000
  while (await metricOf(service, 'corelo_source_waiters') < callers + 1 && performance.now() < giveUp) await sleep(50)
  expect(await metricOf(service, 'corelo_source_waiters')).toBeGreaterThan(callers / 4)
  leaving.abort()
  expect(await first).toBe('left')
  open()
  return await others
}

describe('many requests at once for a kernel that is not held', () => {
  const share = shareProcess({ CORELO_DEADLINE_MS: '60000' })

  it('cost one request upstream, one parse and one relocation, and the first caller takes nobody with it when it leaves', async () => {
    const { origin, service } = share()
    const metrics = [
      'corelo_source_requests_total{source="btfhub",outcome="found"}', 'corelo_cache_events_total{event="relocations"}',
      'corelo_cache_events_total{event="btf_misses"}'
    ]
    const counts = async (): Promise<number[]> => await Promise.all(metrics.map(name => metricOf(service, name)))
    const before = await counts()
    const answers = await stampede({ origin, service }, REFERENCE, 400, serving({ [PATH]: archive }))

    expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([200]))
    expect(answers[0]?.body).toMatchObject({ kernel: { reference: REFERENCE, source: 'btfhub' }, counts: { resolved: 1 } })
    expect(origin.asked).toEqual([PATH])
    const after = await counts()
    // What was parsed on its way in was not read again.
    expect(after.map((count, i) => count - (before[i] ?? 0))).toEqual([1, 1, 0])
    expect(await metricOf(service, 'corelo_source_waiters')).toBe(0)
    expect(await (await fetch(`${service.url}/metrics`)).text()).not.toContain(KERNEL.release)
  })

  it.each([
    ['that nobody has', 404, { status: 404, code: 'kernel_unknown' }, 1],
    ['whose source fails', 500, { status: 502, code: 'source_failed' }, 3],
    ['whose source refuses', 403, { status: 502, code: 'source_failed' }, 1]
  ] as const)('cost as little for one %s', async (_name, status, problem, requests) => {
    const { origin, service } = share()
    const reference = REFERENCE.replace('42', String(status))
    const answers = await stampede({ origin, service }, reference, 100, (_request, response) => response.writeHead(status).end())

    for (const answer of answers) expect(answer.body).toMatchObject(problem)
    expect(origin.asked).toHaveLength(requests)
    expect((await relocate(service.url, reference)).body).toMatchObject(problem)
    expect(origin.asked).toHaveLength(requests)
  })
})

describe('one request for a kernel that is not held', () => {
  const start = async () => {
    const { answer, open } = gated(serving({ [PATH]: archive }, '"abc"'))
    const origin = await startOrigin(answer)
    const http = await launch(await startFetching({ btfhubUrls: [origin.url] }))
    onTestFinished(() => http.app.close())
    return { http, open }
  }

  it('says how long its source took, and the next one that it took none', async () => {
    const { http, open } = await start()
    setTimeout(open, 100)
    const fetchMs = async () => Number(/fetch;dur=([\d.]+)/.exec((await relocate(http.url)).timing)?.[1])
    expect(await fetchMs()).toBeGreaterThan(0)
    expect(await fetchMs()).toBe(0)
  })

  it('is answered by GET /kernels too, with where the BTF came from', async () => {
    const { http, open } = await start()
    open()
    const entry = await (await http.request('/kernels/ubuntu/20.04/amd64/5.4.0-42-generic')).json() as object
    expect(entry).toMatchObject({
      reference: REFERENCE,
      source: 'btfhub',
      bytes: fooBtf().length,
      provenance: { by: 'btfhub', etag: '"abc"', url: expect.stringContaining(PATH) }
    })
    const btf = await http.request(`/kernels/${REFERENCE}/btf`)
    expect(btf.headers.get('corelo-source')).toBe('btfhub')
    expect(Buffer.from(await btf.arrayBuffer()).equals(fooBtf())).toBe(true)
  })
})
