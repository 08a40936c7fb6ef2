// Kills the service with SIGKILL at random moments of fetching, uploading and evicting, starts it again each time, and looks
// whether it ever serves a wrong byte or a 5xx. At the end nothing may be left of what the killed processes were writing.
//
//   npm run kill-loop                  25 moments
//   npm run kill-loop -- 500           as many as one likes
//   npm run kill-loop -- 500 --seed 7  the same kernels and the same order of moments again (not the same timing)
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent, FormData, fetch as undiciFetch } from 'undici'
import { packKernel, variantOf } from './archive.mjs'
import { spawnService } from './service.mjs'

const ROOT = join(import.meta.dirname, '..')
const { positionals, values } = parseArgs({ allowPositionals: true, options: { seed: { type: 'string' } } })
const MOMENTS = Number(positionals[0] ?? 25)
const SEED = Number(values.seed ?? Date.now() % 1_000_000)

/** Of content on disk: about a third of all that is asked for, so that something is always being removed. */
const CACHE_BYTES = 2_500_000
const KERNELS = 32
const OBJECTS = 24
const CLIENTS = 6
const LONGEST_RUN_MS = 900
/** Moments at which the service has not even started, in a hundred. */
const EARLY_KILLS = 15
const ORPHANS_GONE_MS = 60_000
const FETCHED = kernel => kernel % 2 === 0

const random = mulberry32(SEED)
const work = mkdtempSync(join(tmpdir(), 'corelo-kill-'))
const cache = join(work, 'cache')
const totals = {
  moments: 0, early: 0, requests: 0, verified: 0, absent: 0, cutOff: 0, overloaded: 0, evicted: 0, damaged: 0, orphansSeen: 0, fetches: 0
}
const wrong = []
let service

process.on('exit', () => {
  service?.server.child.kill('SIGKILL')
  rmSync(work, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

const sample = readFileSync(join(ROOT, 'examples/kernels/sample.btf'))
const example = readFileSync(join(ROOT, 'examples/exec.bpf.o'))
const kernels = Array.from({ length: KERNELS }, (_, i) => makeKernel(i))
const byHash = new Map(kernels.map(kernel => [kernel.hash, kernel]))
const objects = Array.from({ length: OBJECTS }, (_, i) => makeObject(i))
const archive = await startArchive()

await begin()
for (const object of objects) object.result = hashOf(await relocateWith(object, { btf: new Blob([sample]) }))
await kill()

const started = performance.now()
for (totals.moments = 0; totals.moments < MOMENTS && wrong.length === 0; totals.moments++) {
  totals.orphansSeen += orphans().length
  if (random() * 100 < EARLY_KILLS) {
    totals.early++
    spawn()
    await sleep(random() * 400)
    await kill()
    continue
  }
  await begin()
  await verifyAll()
  await readCounts()
  const stop = { at: performance.now() + random() * LONGEST_RUN_MS, isOver: false }
  const clients = Array.from({ length: CLIENTS }, () => workUntil(stop))
  await sleep(Math.max(0, stop.at - performance.now()))
  stop.isOver = true
  await kill()
  await Promise.all(clients)
  if ((totals.moments + 1) % 25 === 0) console.error(`${totals.moments + 1} of ${MOMENTS} moments: ${JSON.stringify(totals)}`)
}

// What the last kill left. A service that runs also writes temporary files, under names of their own: those are no fault.
const ofKills = orphans()
await begin()
await verifyAll()
const sweepStarted = performance.now()
let left = ofKills.filter(path => existsSync(path))
while (left.length > 0 && performance.now() - sweepStarted < ORPHANS_GONE_MS) {
  await sleep(200)
  left = left.filter(path => existsSync(path))
}
if (left.length > 0) fail(`${left.length} files are left after ${ORPHANS_GONE_MS / 1000} s`, left[0])
const sweepSeconds = (performance.now() - sweepStarted) / 1000
const content = contentBytes()
if (content > CACHE_BYTES) fail(`the cache has ${content} bytes of content`, `its budget is ${CACHE_BYTES}`)
await kill()
archive.close()

const seconds = ((performance.now() - started) / 1000).toFixed(0)
const judged = wrong.length === 0 ? 'none wrong and no 5xx' : `${wrong.length} WRONG`
console.log(`${totals.moments} moments (${totals.early} before the start was over) in ${seconds} s, seed ${SEED}`)
console.log(`${totals.requests} requests answered: ${totals.verified} contents verified, ${totals.absent} times 404, ${judged}; ` +
  `${totals.cutOff} cut off by the kill, ${totals.overloaded} asked to come again`)
console.log(`${totals.fetches} archives fetched, at least ${totals.evicted} files evicted, ${totals.damaged} files found damaged`)
console.log(`${totals.orphansSeen} temporary files left by kills, gone ${sweepSeconds.toFixed(1)} s after the last start; ` +
  `${content} of ${CACHE_BYTES} bytes in use`)
if (wrong.length > 0) {
  for (const text of wrong) console.error(text)
  process.exitCode = 1
}

// What is asked for

/** A kernel's BTF: the sample with a long string more, so that sizes differ and compression has something to do. */
function makeKernel (serial) {
  const filler = Buffer.alloc(30_000 + Math.floor(random() ** 3 * 700_000))
  for (let at = 0; at < filler.length - 1; at++) filler[at] = 0x30 + Math.floor(random() * 64)
  const btf = variantOf(sample, filler)
  const release = `5.4.0-${serial}-kill`
  return {
    serial,
    release,
    path: `ubuntu/20.04/x86_64/${release}`,
    btf,
    hash: hashOf(btf),
    archive: FETCHED(serial) ? packKernel(release, btf) : undefined
  }
}

/** The example with bytes after its end, which nothing reads. */
function makeObject (serial) {
  const bytes = Buffer.concat([example, Buffer.alloc(4 + serial * 1500, serial)])
  return { bytes, hash: hashOf(bytes), result: undefined }
}

/** BTFHub's layout over HTTP, slow enough to be killed in. */
async function startArchive () {
  const byPath = new Map(kernels.filter(({ archive: packed }) => packed !== undefined).map(kernel =>
    [`/${kernel.path}.btf.tar.xz`, kernel.archive]))
  const server = createServer(async (request, response) => {
    const packed = byPath.get(request.url)
    if (packed === undefined) return response.writeHead(404).end()
    totals.fetches++
    response.writeHead(200, { 'content-length': packed.length })
    for (let at = 0; at < packed.length; at += 65_536) {
      response.write(packed.subarray(at, at + 65_536))
      await sleep(1)
    }
    response.end()
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, close () { server.closeAllConnections(); server.close() } }
}

// The service

function spawn () {
  const server = spawnService({
    CORELO_CACHE_DIR: cache,
    CORELO_CACHE_BYTES: String(CACHE_BYTES),
    CORELO_MEMORY_BYTES: '2000000',
    CORELO_WORKERS: '1',
    CORELO_BTFHUB_URL: archive.url,
    CORELO_LOCAL_KERNEL: 'false',
    CORELO_TRUST_UPLOADS: 'true'
  })
  service = { server, agent: new Agent({ connections: 32 }) }
}

async function begin () {
  spawn()
  await service.server.ready()
}

async function kill () {
  const { server, agent } = service
  await server.stop('SIGKILL')
  await agent.destroy()
}

// Requests, and what their answers must be

/** The answer; undefined where the service was killed before it was whole. */
async function ask (path, init) {
  const { server, agent } = service
  try {
    const response = await undiciFetch(`${server.url}${path}`, { dispatcher: agent, ...init })
    const body = Buffer.from(await response.arrayBuffer())
    totals.requests++
    if (response.status === 503 && path !== '/readyz' && JSON.parse(body).code === 'overloaded') {
      // The machine is busy with something else. That is said before any work, and says nothing of what is held.
      totals.overloaded++
      await sleep(100)
      return await ask(path, init)
    }
    if (response.status >= 500 && path !== '/readyz') fail(`${init?.method ?? 'GET'} ${path} was answered ${response.status}`, body)
    return { status: response.status, body, headers: response.headers }
  } catch {
    totals.cutOff++
    return undefined
  }
}

/** The answer has these bytes, or is a 404. */
function expectHash (what, answer, hash) {
  if (answer === undefined) return
  if (answer.status === 404) totals.absent++
  else if (answer.status !== 200) fail(`${what} was answered ${answer.status}`, answer.body)
  else if (hashOf(answer.body) !== hash) fail(`${what} gave other bytes`, hashOf(answer.body))
  else totals.verified++
}

async function relocateWith ({ bytes, hash }, target, byName = false) {
  const form = new FormData()
  form.set('object', byName ? hash : new Blob([bytes]))
  for (const [name, value] of Object.entries(target)) form.set(name, value)
  const answer = await ask('/relocate', { method: 'POST', body: form })
  if (byName || target.btf === undefined) return answer
  if (answer?.status !== 200) throw new Error(`the service relocates nothing: ${answer?.body}`)
  return answer.body
}

/** A kernel's BTF is that of its name, whatever is listed; and content is that of its hash. */
async function verifyAll () {
  const listed = await ask('/kernels?limit=1000')
  if (listed?.status !== 200) return fail(`the list of kernels was answered ${listed?.status}`, listed?.body)
  for (const entry of JSON.parse(listed.body).kernels) {
    const kernel = byHash.get(entry.btf_sha256)
    if (kernel === undefined || `ubuntu/20.04/x86_64/${kernel.release}` !== entry.reference) {
      fail('a kernel is listed with BTF that is not its own', JSON.stringify(entry))
    }
  }
  await Promise.all(pick(kernels, 6).map(async kernel => expectHash(`BTF ${kernel.hash}`, await ask(`/btf/${kernel.hash}`), kernel.hash)))
  await Promise.all(pick(kernels, 4).map(async kernel => {
    expectHash(`the BTF of ${kernel.path}`, await ask(`/kernels/${kernel.path}/btf`), kernel.hash)
    const object = pick(objects, 1)[0]
    await checkRelocation(object, kernel, random() < 0.5)
  }))
}

async function checkRelocation (object, kernel, byName) {
  const answer = await relocateWith(object, { kernel_release: kernel.path }, byName)
  expectHash(`${object.hash} for ${kernel.path}`, answer, object.result)
  if (answer?.status === 200 && answer.headers.get('corelo-btf') !== kernel.hash) {
    fail(`${kernel.path} was relocated against BTF that is not its own`, answer.headers.get('corelo-btf'))
  }
  if (answer?.status === 404 && FETCHED(kernel.serial) && !byName) fail(`${kernel.path} is in the archive and was not found`, answer.body)
}

async function workUntil (stop) {
  while (!stop.isOver) {
    const [kernel] = pick(kernels, 1)
    const [object] = pick(objects, 1)
    const choice = random()
    if (choice < 0.3 && !FETCHED(kernel.serial)) {
      const answer = await ask(`/kernels/${kernel.path}/btf`, { method: 'PUT', body: kernel.btf })
      if (answer !== undefined && answer.status !== 200 && answer.status !== 201) {
        fail(`PUT of ${kernel.path} was answered ${answer.status}`, answer.body)
      }
    } else if (choice < 0.45) {
      const answer = await ask(`/objects/${object.hash}`, { method: 'PUT', body: object.bytes })
      if (answer !== undefined && answer.status !== 200 && answer.status !== 201) {
        fail(`PUT of an object was answered ${answer.status}`, answer.body)
      }
    } else if (choice < 0.85) {
      await checkRelocation(object, kernel, choice > 0.75)
    } else if (choice < 0.95) {
      expectHash(`the BTF of ${kernel.path}`, await ask(`/kernels/${kernel.path}/btf`), kernel.hash)
    } else {
      await readCounts()
    }
  }
}

/** Of this run of the service; the last that were read before the kill count. */
async function readCounts () {
  const text = String((await ask('/metrics'))?.body ?? '')
  for (const [name, event] of [['evicted', 'files_evicted'], ['damaged', 'damaged_files']]) {
    const count = Number(new RegExp(`event="${event}"\\} (\\d+)`).exec(text)?.[1] ?? 0)
    const before = service[name] ?? 0
    totals[name] += Math.max(0, count - before)
    service[name] = Math.max(before, count)
  }
}

function fail (what, details) {
  if (wrong.length < 20) wrong.push(`moment ${totals.moments}: ${what}: ${String(details).slice(0, 500)}`)
}

// The folder

function filesOf (folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  } catch {
    return []
  }
}

function orphans () {
  const isContent = ({ name }) => /^[0-9a-f]{64}$/.test(name)
  return [
    ...filesOf(join(cache, 'content')).filter(entry => !isContent(entry)),
    ...filesOf(join(cache, 'index')).filter(({ name }) => !name.endsWith('.json'))
  ].map(({ parentPath, name }) => join(parentPath, name))
}

function contentBytes () {
  return filesOf(join(cache, 'content')).reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

function hashOf (bytes) { return `sha256:${createHash('sha256').update(bytes).digest('hex')}` }

function pick (list, count) { return Array.from({ length: count }, () => list[Math.floor(random() * list.length)]) }

/** A small generator with a seed, in the public domain (Tommy Ettinger). */
function mulberry32 (seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
