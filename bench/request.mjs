import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'undici'
import { sha256 } from '../dist/store/sha256.js'
import { labBtfs, labObjects } from './lab.mjs'
import { cpuMsOf, putBytes, startBare, startMeasured } from './servers.mjs'
import { median } from './statistics.mjs'

const CONNECTIONS = 4

/**
 * CPU that the service spends on `POST /relocate` of a 30 KB object with the BTF in memory, beside a bare Fastify route that takes
 * the same upload and sends the same bytes back. Each server is a process of its own, its CPU read from /proc, all threads
 * counted; the load comes from this one. `new objects`: each request's object is one the service has never seen.
 */
export async function benchRequest ({ requests, rounds }) {
  const object = pickObject()
  const [kernel] = labBtfs().filter(({ name }) => name === 'running').concat(labBtfs())
  if (object === undefined || kernel === undefined || !existsSync('/proc/self/schedstat')) return []
  const cache = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  const servers = []
  try {
    const bare = await startBare()
    servers.push(bare)
    const service = await startMeasured({ CORELO_CACHE_DIR: cache })
    servers.push(service)
    const btf = readFileSync(kernel.path)
    await putBytes(service, '/kernels/bench/1/x86_64/bench/btf', btf)

    const rows = []
    for (const form of ['multipart', 'raw body']) {
      for (const objects of ['same object', 'new objects']) {
        const ask = { form, isNew: objects === 'new objects', object: object.bytes, btfSha256: sha256(btf) }
        await load(bare, { ...ask, requests: requests / 2 })
        await load(service, { ...ask, requests: requests / 2 })
        const costs = { bare: [], service: [] }
        for (let round = 0; round < rounds; round++) {
          costs.bare.push(await load(bare, { ...ask, requests }))
          costs.service.push(await load(service, { ...ask, requests }))
        }
        const ratios = costs.service.map((cost, i) => cost.cpuMs / costs.bare[i].cpuMs)
        rows.push({
          upload: form,
          objects,
          kB: object.bytes.length / 1e3,
          'service CPU ms': median(costs.service.map(({ cpuMs }) => cpuMs)),
          'bare CPU ms': median(costs.bare.map(({ cpuMs }) => cpuMs)),
          ratio: median(ratios),
          'service p99 ms': median(costs.service.map(({ p99Ms }) => p99Ms)),
          'service req/s': median(costs.service.map(({ perSecond }) => perSecond))
        })
      }
    }
    return rows
  } finally {
    for (const server of servers) await server.stop()
    rmSync(cache, { recursive: true, force: true })
  }
}

/** The object whose size is nearest to 30 KB. */
function pickObject () {
  return labObjects()
    .map(({ name, path }) => ({ name, bytes: readFileSync(path) }))
    .sort((a, b) => Math.abs(a.bytes.length - 30_000) - Math.abs(b.bytes.length - 30_000))[0]
}

/** Sends requests over a few connections and tells what each cost the server. */
async function load (server, { form, isNew, object, btfSha256, requests }) {
  const clients = Array.from({ length: CONNECTIONS }, () => new Client(server.url))
  const times = []
  const cpuBefore = cpuMsOf(server)
  const started = performance.now()
  let sent = 0
  await Promise.all(clients.map(async client => {
    while (sent < requests) {
      const number = counter + sent++
      const body = isNew ? renumber(object, number) : object
      const request = form === 'multipart' ? multipartRequest(body, btfSha256) : rawRequest(body, btfSha256)
      const at = performance.now()
      const answer = await client.request(request)
      const bytes = await answer.body.arrayBuffer()
      times.push(performance.now() - at)
      if (answer.statusCode !== 200 || bytes.byteLength !== object.length) {
        throw new Error(`answered ${answer.statusCode} with ${bytes.byteLength} bytes`)
      }
    }
  }))
  const seconds = (performance.now() - started) / 1000
  const cpuMs = cpuMsOf(server) - cpuBefore
  counter += requests
  await Promise.all(clients.map(client => client.close()))
  times.sort((a, b) => a - b)
  return { cpuMs: cpuMs / requests, p99Ms: times[Math.floor(times.length * 0.99)], perSecond: requests / seconds }
}

/** Makes objects of one run differ from those of every other. */
let counter = process.pid * 1_000_000

/** The object with another number in the ELF header's e_flags, which no loader looks at: other content, same work. */
function renumber (object, number) {
  const copy = Buffer.from(object)
  copy.writeUInt32LE(number % 0xffffffff, 48)
  copy.writeUInt32LE(Math.floor(number / 0xffffffff), 24)
  return copy
}

const BOUNDARY = 'corelo-bench-boundary'

function multipartRequest (object, btfSha256) {
  const field = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="btf_sha256"\r\n\r\n${btfSha256}\r\n`
  const head = `${field}--${BOUNDARY}\r\ncontent-disposition: form-data; name="object"; filename="x.bpf.o"\r\n` +
    'content-type: application/octet-stream\r\n\r\n'
  const body = Buffer.concat([Buffer.from(head), object, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)])
  return { method: 'POST', path: '/relocate', headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }, body }
}

function rawRequest (object, btfSha256) {
  return {
    method: 'POST',
    path: `/relocate?btf_sha256=${encodeURIComponent(btfSha256)}`,
    headers: { 'content-type': 'application/octet-stream' },
    body: object
  }
}
