import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { openContentStore } from '../dist/store/content-store.js'
import { openKernelIndex } from '../dist/kernels/kernel-index.js'
import { sha256 } from '../dist/store/sha256.js'
import { withName } from './history.mjs'
import { labBtfs, labObjects } from './lab.mjs'
import { cpuMsOf, startMeasured } from './servers.mjs'
import { median } from './statistics.mjs'

/** Requests a second of the load beside a check. */
const RATE = 100

/**
 * Objects on kernels of one BTF, and on kernels that each have another one: real BTF with a name more, so that nothing but its hash
 * differs. First with nothing known, then with the outcomes of that. Then POST /relocate with a steady load, alone and beside a check.
 */
export async function benchCheck ({ shared, distinct, windows, seconds, most = Infinity }) {
  const [btf] = labBtfs()
  const objects = labObjects().map(({ path }) => path).slice(0, most)
  if (btf === undefined || objects.length === 0) throw new Error('the lab has no BTF or no objects')
  const cache = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  try {
    await prepare(cache, readFileSync(btf.path), { shared, distinct })
    const rows = []
    for (const [name, files, pattern, kernels] of [
      ['one BTF', objects.slice(0, 1), 'shared/1/x86_64/*', shared],
      ['one BTF', objects, 'shared/1/x86_64/*', shared],
      ['a BTF each', objects.slice(0, 1), 'distinct/1/x86_64/*', distinct],
      ['a BTF each', objects, 'distinct/1/x86_64/*', distinct]
    ]) {
      const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' })
      const cold = await timed(service, () => check(service.url, files, pattern))
      const warm = await timed(service, () => check(service.url, files, pattern))
      rows.push({ kernels: `${kernels} of ${name}`, objects: files.length, 'first ms': cold.ms, 'first CPU ms': cold.cpu, 'again ms': warm.ms, 'again CPU ms': warm.cpu })
      await service.stop()
    }
    return [...rows, await besideLoad(cache, objects, { windows, seconds, distinct })].map(row => ({ ...EMPTY, ...row }))
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
}

const EMPTY = { kernels: '', objects: '', 'first ms': '', 'first CPU ms': '', 'again ms': '', 'again CPU ms': '', 'p50 alone': '', 'p50 beside': '', 'p99 alone': '', 'p99 beside': '', ratio: '' }

/** Windows with and without a check take turns, so that what else the machine does is in both. */
async function besideLoad (cache, objects, { windows, seconds, distinct }) {
  // The memory tier holds a few kernels, so that each check reads them anew. Results are not held for it: each request is another object.
  const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' })
  const alone = []
  const beside = []
  await load(service.url, objects[0], 1)
  for (let window = 0; window < windows; window++) {
    alone.push(await load(service.url, objects[0], seconds))
    const leaving = new AbortController()
    const running = keepChecking(service.url, objects, leaving.signal)
    beside.push(await load(service.url, objects[0], seconds))
    leaving.abort()
    await running
  }
  await service.stop()
  const [p99, p99Beside] = [alone, beside].map(times => median(times.map(({ p99 }) => p99)))
  return {
    kernels: `POST /relocate beside a check of ${distinct}`,
    objects: objects.length,
    'p50 alone': median(alone.map(({ p50 }) => p50)),
    'p50 beside': median(beside.map(({ p50 }) => p50)),
    'p99 alone': p99,
    'p99 beside': p99Beside,
    ratio: p99Beside / p99
  }
}

/** Checks, each of objects that no check has had before, so that nothing of it is known. */
async function keepChecking (address, objects, signal) {
  for (let serial = 0; !signal.aborted; serial++) await check(address, objects, 'distinct/1/x86_64/*', { serial, signal }).catch(error => { if (!signal.aborted) throw error })
}

async function check (address, files, pattern, { serial, signal } = {}) {
  const form = new FormData()
  for (const file of files) form.append('object', new Blob([anew(readFileSync(file), serial)]), basename(file))
  form.append('kernels', pattern)
  const response = await fetch(`${address}/check`, { method: 'POST', body: form, headers: { accept: 'application/x-ndjson' }, ...(signal === undefined ? {} : { signal }) })
  const lines = (await response.text()).trim().split('\n')
  const { summary } = JSON.parse(lines.at(-1))
  if (response.status !== 200 || summary.rows !== summary.kernels * files.length) throw new Error(`the check answered ${response.status} with ${lines.length} lines`)
}

/** The same object under another hash. */
function anew (object, serial) {
  return serial === undefined ? object : Buffer.concat([object, Buffer.from(`${serial} ${process.hrtime.bigint()}`)])
}

async function timed (service, work) {
  const [started, cpu] = [performance.now(), cpuMsOf(service)]
  await work()
  return { ms: performance.now() - started, cpu: cpuMsOf(service) - cpu }
}

/** POST /relocate at a steady rate; latencies in milliseconds. Each request is another object, so that a worker has to relocate it. */
async function load (address, file, seconds) {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  const object = readFileSync(file)
  const times = []
  const pending = []
  const count = RATE * seconds
  const started = performance.now()
  for (let i = 0; i < count; i++) {
    const due = started + i * 1000 / RATE
    const wait = due - performance.now()
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait))
    pending.push(post(agent, `${address}/relocate?kernel_release=shared/1/x86_64/6.1.0-0`, anew(object, i)).then(() => { times.push(performance.now() - due) }))
  }
  await Promise.all(pending)
  agent.destroy()
  times.sort((a, b) => a - b)
  return { p50: times[Math.floor(times.length / 2)], p99: times[Math.floor(times.length * 0.99)] }
}

function post (agent, address, body) {
  return new Promise((resolve, reject) => {
    const call = httpRequest(address, { agent, method: 'POST', headers: { 'content-type': 'application/octet-stream', 'content-length': body.length } }, response => {
      response.resume()
      response.on('end', () => response.statusCode === 200 ? resolve() : reject(new Error(`POST /relocate answered ${response.statusCode}`)))
    })
    call.on('error', reject)
    call.end(body)
  })
}

async function prepare (directory, btf, { shared, distinct }) {
  const store = openContentStore({ directory })
  const index = await openKernelIndex({ directory })
  const put = async (distro, count, bytesOf) => {
    for (let i = 0; i < count; i++) {
      const bytes = bytesOf(i)
      const hash = sha256(bytes)
      await store.write('btf', hash, bytes)
      const at = new Date().toISOString()
      const provenance = { by: 'bench', at }
      const reference = { distro, distroVersion: '1', arch: 'x86_64', release: `6.1.0-${i}` }
      await index.put({ reference, btfSha256: hash, bytes: bytes.length, types: 1, source: 'import', provenance, firstSeen: at, lastUsed: at, modules: [] })
    }
  }
  await put('shared', shared, () => btf)
  await put('distinct', distinct, i => withName(btf, `kernel_${i}`))
  await index.close()
  await store.close()
}
