import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { bpftoolMs } from './bpftool.mjs'
import { copyFleet } from './cache-folder.mjs'
import { anew, check } from './check-client.mjs'
import { fillFleet } from './fleet-folder.mjs'
import { labObjects } from './lab.mjs'
import { cpuMsOf, residentBytes, startMeasured } from './servers.mjs'
import { median } from './statistics.mjs'

/** Requests a second of the load beside a check. */
const RATE = 100

/**
 * Checks through the whole service: objects on fleets of several sizes, in a process that has just started, again, and of an object that
 * is new to it, beside a loop of `bpftool gen min_core_btf` over the same files. CPU is that of all threads. Then POST /relocate with a
 * steady load, alone and beside checks of one of the fleets, each of objects that no check has had before.
 *
 * @param fleets each with so many kernels of so many layouts; with `files` of BTF in bpftool's loop, all BTF is on disk. Or with the
 *   kernels of a service's cache folder, `from`, all of which are in the loop
 */
export async function benchCheck ({ fleets, windows, seconds, most = Infinity }) {
  const objects = labObjects().map(({ path }) => path).slice(0, most)
  const one = objects.filter(path => basename(path).startsWith('biolatency')).slice(0, 1)
  if (one.length === 0) throw new Error('the lab has no objects')
  const rows = []
  for (const { isBesideLoad = false, ...wanted } of fleets) {
    const cache = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
    try {
      const { kernels, kernel, bytes, loop } = await fleetIn(cache, wanted, one)
      const bpftool = loop.length > 0 ? bpftoolMs(one[0], loop, join(cache, 'min.btf')) : undefined
      for (const checked of kernels * objects.length > MAX_ROWS ? [one] : [one, objects]) {
        rows.push({
          ...await onFleet(cache, kernels, checked, bpftool === undefined ? undefined : bpftool * kernels * checked.length),
          'tables / BTF %': 100 * bytes.tables / bytes.btf,
          'files in loop': loop.length
        })
      }
      if (isBesideLoad) {
        for (const checked of [one, objects]) rows.push(await besideLoad(cache, kernels, kernel, checked, { windows, seconds }))
      }
    } finally {
      rmSync(cache, { recursive: true, force: true })
    }
  }
  const names = Object.keys(Object.assign({}, ...rows))
  return rows.map(row => Object.fromEntries(names.map(name => [name, row[name] ?? ''])))
}

/** The kernels that a cache folder then has, and the files of BTF that bpftool is to read. */
async function fleetIn (cache, { kernels, layouts, files = 0, from }, objects) {
  if (from === undefined) {
    const fleet = await fillFleet(cache, { kernels, layouts, holdsAll: files > 0 })
    return { ...fleet, loop: fleet.files.slice(0, files) }
  }
  const fleet = await copyFleet(from, cache, async () => {
    const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' })
    await check(service.url, objects)
    await service.stop()
  })
  return { ...fleet, loop: fleet.files }
}

const MEBIBYTE = 1024 ** 2

/** What one check answers at most (CheckLimits). */
const MAX_ROWS = 500_000

async function onFleet (cache, kernels, files, bpftool) {
  const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' })
  const before = residentBytes(service)
  const cold = await timed(service, () => check(service.url, files))
  const again = await timed(service, () => check(service.url, files))
  const other = await timed(service, () => check(service.url, files, { serial: 0 }))
  const resident = (residentBytes(service) - before) / MEBIBYTE
  await service.stop()
  return {
    kernels: `${kernels}`,
    objects: files.length,
    'cold ms': cold.ms,
    'cold CPU ms': cold.cpu,
    'again CPU ms': again.cpu,
    'other objects CPU ms': other.cpu,
    outcomes: cold.value.outcomes,
    'resident +MB': resident,
    'bpftool CPU ms': bpftool,
    'cold / bpftool': bpftool === undefined ? undefined : cold.cpu / bpftool,
    'again / bpftool': bpftool === undefined ? undefined : again.cpu / bpftool,
    'other / bpftool': bpftool === undefined ? undefined : other.cpu / bpftool
  }
}

/** Windows with and without checks take turns, so that what else the machine does is in both. */
async function besideLoad (cache, kernels, kernel, objects, { windows, seconds }) {
  const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' })
  const alone = []
  const beside = []
  await load(service.url, kernel, objects[0], 1)
  for (let window = 0; window < windows; window++) {
    await loopDelayMs(service.url)
    alone.push({ ...await load(service.url, kernel, objects[0], seconds), delay: await loopDelayMs(service.url) })
    const checks = keepChecking(service.url, objects)
    beside.push({ ...await load(service.url, kernel, objects[0], seconds), delay: await loopDelayMs(service.url) })
    await checks.stop()
  }
  await service.stop()
  const middle = (runs, name) => median(runs.map(run => run[name]))
  return {
    kernels: `POST /relocate beside ${kernels}`,
    objects: objects.length,
    'p50 alone': middle(alone, 'p50'),
    'p50 beside': middle(beside, 'p50'),
    'p99 alone': middle(alone, 'p99'),
    'p99 beside': middle(beside, 'p99'),
    ratio: middle(beside, 'p99') / middle(alone, 'p99'),
    'loop p99 alone': middle(alone, 'delay'),
    'loop p99 beside': middle(beside, 'delay')
  }
}

/** How late the event loop was since this was asked for last: the 99th part in a hundred, of which 10 ms are the clock's own. */
async function loopDelayMs (address) {
  const text = await (await fetch(`${address}/metrics`)).text()
  return 1000 * Number(/^nodejs_eventloop_lag_p99_seconds (.*)$/m.exec(text)?.[1])
}

/** Checks, each of objects that no check has had before. A thread of its own reads the answers: this one measures the load alone. */
function keepChecking (address, files) {
  const thread = new Worker(new URL('keep-checking.mjs', import.meta.url), { workerData: { address, files } })
  const ended = new Promise((resolve, reject) => { thread.once('error', reject).once('exit', resolve) })
  return {
    async stop () {
      thread.postMessage('stop')
      await ended
    }
  }
}

async function timed (service, work) {
  const [started, cpu] = [performance.now(), cpuMsOf(service)]
  const value = await work()
  return { value, ms: performance.now() - started, cpu: cpuMsOf(service) - cpu }
}

/** POST /relocate at a steady rate; latencies in milliseconds. Each request is another object, so that a worker has to relocate it. */
async function load (address, kernel, file, seconds) {
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
    pending.push(
      post(agent, `${address}/relocate?kernel_release=${kernel}`, anew(object, i)).then(() => { times.push(performance.now() - due) })
    )
  }
  await Promise.all(pending)
  agent.destroy()
  times.sort((a, b) => a - b)
  return { p50: times[Math.floor(times.length / 2)], p99: times[Math.floor(times.length * 0.99)] }
}

function post (agent, address, body) {
  return new Promise((resolve, reject) => {
    const call = httpRequest(address, {
      agent, method: 'POST', headers: { 'content-type': 'application/octet-stream', 'content-length': body.length }
    }, response => {
      response.resume()
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`POST /relocate answered ${response.statusCode}`)))
    })
    call.on('error', reject)
    call.end(body)
  })
}
