import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseBtf } from '../../src/core/index.js'
import { buildApp } from '../../src/http/app.js'
import { readConfig } from '../../src/http/config.js'
import { createService } from '../../src/service/service.js'
import type { Service } from '../../src/service/types.js'
import { askOracle, compareDumps, describeLab, labBtfs, labObjects, NEEDS, scratchFolder } from '../support/lab.js'
import { relocate } from '../support/relocate.js'

/** Requests under way at once: more than there are workers, so that some wait. */
const AT_ONCE = 8

describeLab('the service answers', [NEEDS.oracle, NEEDS.objects], () => {
  const folder = scratchFolder()
  const objects = labObjects().map(object => ({ ...object, bytes: readFileSync(object.path) }))
  const btfs = labBtfs()
  const compared = { pairs: 0, withLibbpf: 0 }
  let service: Service
  let app: FastifyInstance
  let url: string

  beforeAll(async () => {
    const config = readConfig({
      CORELO_PORT: '0',
      CORELO_BTFHUB_URL: '',
      CORELO_CACHE_DIR: join(folder, 'cache'),
      CORELO_LOCAL_KERNEL: 'false',
      CORELO_LOG_LEVEL: 'silent',
      CORELO_WORKERS: '2',
      CORELO_MAX_DELAY_MS: '0'
    })
    service = createService(config)
    app = await buildApp(service, config)
    await app.listen({ host: config.host, port: config.port })
    url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    await app?.close()
    await service?.close()
  })

  const post = async (fields: Readonly<Record<string, Blob | string>>): Promise<Buffer> => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) {
      if (typeof value === 'string') form.set(name, value)
      else form.set(name, value, name)
    }
    const response = await fetch(`${url}/relocate`, { method: 'POST', body: form })
    const body = Buffer.from(await response.arrayBuffer())
    expect(response.status, body.subarray(0, 500).toString()).toBe(200)
    return body
  }

  const putBtf = async (name: string, bytes: Uint8Array): Promise<string> => {
    const response = await fetch(
      `${url}/kernels/lab/1/x86_64/${name}/btf`, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/octet-stream' } }
    )
    expect(response.status, await response.text()).toBe(201)
    return response.headers.get('corelo-btf') ?? ''
  }

  it.each(btfs.map(btf => [btf.name, btf] as const))('with the bytes that the engine makes, every object for %s', async (_, btf) => {
    const bytes = readFileSync(btf.path)
    const target = parseBtf(bytes)
    const hash = await putBtf(btf.name, bytes)
    const different: string[] = []
    await inParallel(objects, async object => {
      const expected = relocate(object.bytes, target).bytes
      const answer = await post({ object: new Blob([object.bytes]), btf_sha256: hash })
      if (expected === undefined || !answer.equals(expected)) different.push(`${object.name} for ${btf.name}`)
      compared.pairs++
    })
    expect(different).toEqual([])
  })

  it.each(btfs.map(btf => [btf.name, btf] as const))('the same when the BTF of %s comes with the request', async (_, btf) => {
    const bytes = readFileSync(btf.path)
    const [object] = objects
    const expected = relocate(object?.bytes ?? new Uint8Array(), parseBtf(bytes)).bytes
    expect((await post({ object: new Blob([object?.bytes ?? '']), btf: new Blob([bytes]) })).equals(expected ?? new Uint8Array())).toBe(
      true
    )
  })

  it.each(['debian-6.1', 'kylin-4.19.90-52'].flatMap(name => btfs.filter(btf => btf.name === name)).map(btf => [btf.name, btf] as const))(
    'with what libbpf makes, in every instruction, for %s', async (_, btf) => {
      const bytes = readFileSync(btf.path)
      const served = await inParallel(objects, async object => {
        const path = join(folder, `${btf.name}.${object.name}`)
        writeFileSync(path, await post({ object: new Blob([object.bytes]), btf: new Blob([bytes]) }))
        return path
      })
      const answers = await askOracle([
        ...objects.map(({ path }) => ({ object: path, btf: btf.path })), ...served.map(path => ({ object: path }))
      ])
      objects.forEach(({ name }, i) => {
        const [original, ours] = [answers[i], answers[objects.length + i]]
        expect(original?.relocated, name).toBe(true)
        expect(ours?.relocated, name).toBe(true)
        if (original !== undefined && ours !== undefined) expect(compareDumps(original, ours), name).toEqual([])
        compared.withLibbpf++
      })
    })

  it('in as many cases as there are objects and kernels', () => {
    expect(objects.length).toBeGreaterThanOrEqual(50)
    expect(compared.pairs).toBe(objects.length * btfs.length)
    expect(compared.withLibbpf).toBeGreaterThanOrEqual(objects.length)
    console.log(`asked the service: ${JSON.stringify(compared)}`)
  })
})

/** Runs `work` for every item, some at a time; results in the order of the items. */
async function inParallel<T, R> (items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T)
  }))
  return results
}
