import { describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { launch, problemOf } from '../http/harness.js'
import type { ServiceSettings } from '../../src/settings/service-options.js'
import { failure, fooBtf, put, relocate } from '../unit/service/lab.js'
import { tarXzOf } from '../support/xz-writer.js'
import { serving, startOrigin } from './origin.js'
import { archiveOf, KERNEL, moduleBtf, PATH, startFetching } from './sources.js'

const REFERENCE = 'ubuntu/20.04/x86_64/5.4.0-42-generic'

/** A service that listens. */
async function startListening (settings: Partial<ServiceSettings>) {
  const service = await startFetching(settings)
  const http = await launch(service)
  onTestFinished(() => http.app.close())
  return { service, url: http.url, request: http.request }
}

describe('another corelo as a source', () => {
  it('gives what it has, and fetches what it has not', async () => {
    const origin = await startOrigin(serving({ [PATH]: await archiveOf() }))
    const central = await startListening({ btfhubUrls: [origin.url] })
    const edge = await startFetching({ upstreamUrl: central.url })
    expect(await relocate(edge, { kernel: KERNEL })).toMatchObject({ source: 'upstream', kernel: REFERENCE, btfSha256: sha256(fooBtf()) })
    expect((await edge.getKernel(KERNEL)).provenance).toMatchObject({
      by: 'upstream', url: `${central.url}/kernels/${REFERENCE}/btf`, etag: `"${sha256(fooBtf())}"`
    })
    expect(origin.asked).toEqual([PATH])
  })

  it('is asked once by many edges, and asks once', async () => {
    const origin = await startOrigin(serving({ [PATH]: await archiveOf() }))
    const central = await startListening({ btfhubUrls: [origin.url] })
    const edges = await Promise.all([1, 2, 3].map(() => startFetching({ upstreamUrl: central.url })))
    await Promise.all(edges.flatMap(edge => [1, 2, 3].map(() => relocate(edge, { kernel: KERNEL }))))
    expect(origin.asked).toEqual([PATH])
  })

  it('gives modules, when somebody names them', async () => {
    const origin = await startOrigin(serving({
      [PATH]: await tarXzOf({ name: 'vmlinux', bytes: fooBtf() }, { name: 'nf_foo', bytes: moduleBtf() })
    }))
    const central = await startListening({ btfhubUrls: [origin.url] })
    const edge = await startFetching({ upstreamUrl: central.url })
    expect((await relocate(edge, { kernel: KERNEL, modules: ['nf_foo'] })).moduleSha256s).toEqual([sha256(moduleBtf())])
    expect((await edge.getKernelBtf(KERNEL, 'nf_foo')).source).toBe('upstream')
    await failure('btf_unknown', relocate(edge, { kernel: KERNEL, modules: ['other'] }))
  })

  it('resolves a bare release by what it lists', async () => {
    const origin = await startOrigin(serving({ [PATH]: await archiveOf() }))
    const central = await startListening({ btfhubUrls: [origin.url] })
    await central.service.getKernel(KERNEL)
    const edge = await startFetching({ upstreamUrl: central.url })
    expect((await relocate(edge, { kernel: { release: KERNEL.release } })).kernel).toBe(REFERENCE)
  })

  it('does not have its uploads believed, unless uploads are trusted here', async () => {
    const central = await startListening({})
    await put(central.service, fooBtf())
    const error = await failure('kernel_unknown', relocate(await startFetching({ upstreamUrl: central.url }), { kernel: KERNEL }))
    expect(JSON.stringify(error.details)).toContain('is an upload')
    expect((await relocate(await startFetching({ upstreamUrl: central.url, trustUploads: true }), { kernel: KERNEL })).source).toBe(
      'upstream'
    )
  })

  it('is not believed when the bytes do not have the hash that it names', async () => {
    const liar = await startOrigin((_request, response) =>
      response.writeHead(200, { 'corelo-btf': sha256(fooBtf(1)), 'corelo-source': 'btfhub' }).end(fooBtf()))
    const error = await failure('source_invalid', relocate(await startFetching({ upstreamUrl: liar.url }), { kernel: KERNEL }))
    expect(error.details).toMatchObject({ source: 'upstream', answer: expect.stringContaining(sha256(fooBtf(1))) })
  })

  it('that fails makes no kernel unknown', async () => {
    const origin = await startOrigin((_request, response) => response.writeHead(500).end())
    const central = await startListening({ btfhubUrls: [origin.url] })
    await failure('source_failed', relocate(await startFetching({ upstreamUrl: central.url }), { kernel: KERNEL }))
  })
})

describe('services that ask each other', () => {
  /**
   * A ring of services, each of which asks the next; the settings are those of the last. Addresses are known only once all listen, so that
   * each asks through a door.
   */
  const startRing = async (size: number, settings: Partial<ServiceSettings> = {}) => {
    const doors = await Promise.all(Array.from({ length: size }, () => startOrigin()))
    const services = await Promise.all(doors.map((_door, i) => startListening({
      upstreamUrl: doors[(i + 1) % size]?.url ?? '', ...(i === size - 1 ? settings : {})
    })))
    for (const [i, door] of doors.entries()) {
      door.answer = async (request, response) => {
        const answer = await fetch(`${services[i]?.url}${request.url}`, { headers: request.headers as Record<string, string> })
        response.writeHead(
          answer.status,
          Object.fromEntries([...answer.headers].filter(([name]) => !/^(transfer-encoding|connection|keep-alive)$/.test(name)))
        )
        response.end(Buffer.from(await answer.arrayBuffer()))
      }
    }
    return { doors, services }
  }

  it.each([1, 2, 3])('in a ring of %d all say that they do not know, each asked once', async size => {
    const { doors, services } = await startRing(size)
    const answer = await services[0]?.request(`/kernels/${REFERENCE}/btf`) ?? new Response()
    expect(await problemOf(answer)).toMatchObject({ code: 'kernel_unknown' })
    expect(doors.map(door => door.asked.length)).toEqual(Array.from({ length: size }, () => 1))
  })

  it('in a ring all at once do not wait for each other', async () => {
    const { services } = await startRing(3)
    const answers = await Promise.all(services.map(async ({ request }) => await problemOf(await request(`/kernels/${REFERENCE}`))))
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['kernel_unknown']))
  })

  it('find in a ring what only the last of them can get', async () => {
    const origin = await startOrigin(serving({ [PATH]: await archiveOf() }))
    const { services } = await startRing(3, { btfhubUrls: [origin.url] })
    const answers = await Promise.all(services.map(({ request }) => request(`/kernels/${REFERENCE}/btf`)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(origin.asked).toEqual([PATH])
  })

  it('give up after eight of them', async () => {
    const origin = await startOrigin()
    const { request } = await startListening({ upstreamUrl: origin.url })
    const via = Array.from({ length: 8 }, (_, i) => `service-${i}`).join(', ')
    expect((await request(`/kernels/${REFERENCE}/btf`, { headers: { 'corelo-via': via } })).status).toBe(404)
    expect(origin.asked).toEqual([])
  })
})
