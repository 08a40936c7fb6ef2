import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { variantOf } from '../scripts/archive.mjs'
import { labBtfs } from './lab.mjs'
import { enlargeBtf } from './large-btf.mjs'
import { cpuMsOf, putBytes, startMeasured } from './servers.mjs'
import { median } from './statistics.mjs'

const ROOT = join(import.meta.dirname, '..')

/** How long all threads are idle once nothing is left to do. */
const SETTLED_MS = 250

/**
 * CPU of all threads of a service that takes kernels in by `PUT`, each with BTF that it never met: reading, hashing, validating, indexing
 * and writing it, and what is made of it in the background, the kept index and the layout table. Until all of that is on disk.
 *
 * @param beside a checkout of another version, built, which takes the same kernels in turn
 * @param only part of the names of the BTFs
 */
export async function benchPut ({ kernels, rounds, beside, only = '' }) {
  if (!existsSync('/proc/self/schedstat')) return []
  const services = []
  try {
    for (const checkout of beside === undefined ? [undefined] : [undefined, beside]) services.push(await start(checkout))
    const rows = []
    for (const { name, bytes } of btfs().filter(({ name }) => name.includes(only))) {
      const costs = services.map(() => [])
      for (let round = -1; round < rounds; round++) {
        for (const [i, service] of services.entries()) {
          const cost = await takeIn(service, bytes, Math.max(1, Math.round(kernels * 4e6 / bytes.length)))
          if (round >= 0) costs[i].push(cost)
        }
      }
      const [ours, theirs] = costs
      rows.push({
        btf: name,
        MB: bytes.length / 1e6,
        'CPU ms': median(ours),
        ...(theirs === undefined ? {} : { 'theirs ms': median(theirs), ratio: median(ours.map((cost, i) => cost / theirs[i])) })
      })
    }
    return rows
  } finally {
    for (const { service, cache } of services) {
      await service.stop()
      rmSync(cache, { recursive: true, force: true })
    }
  }
}

async function start (checkout) {
  const cache = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  const hasTables = existsSync(join(checkout ?? ROOT, 'src', 'layout'))
  return { cache, hasTables, service: await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' }, checkout) }
}

function btfs () {
  const files = labBtfs().map(({ name, path }) => ({ name, bytes: readFileSync(path) }))
  const largest = files.find(({ name }) => name === 'running') ?? files.at(-1)
  return largest === undefined ? [] : [...files, { name: '27 MB class', bytes: Buffer.from(enlargeBtf(largest.bytes, 27_000_000)) }]
}

/** CPU milliseconds for one of so many kernels. */
async function takeIn ({ service, cache, hasTables }, bytes, kernels) {
  const tables = hasTables ? countFiles(join(cache, 'content', 'layout')) + kernels : 0
  const uploads = Array.from({ length: kernels }, () => variantOf(bytes, Buffer.from(`bench_${serial++}\0`)))
  const before = cpuMsOf(service)
  for (const body of uploads) await putBytes(service, `/kernels/bench/1/x86_64/${serial}-${uploads.indexOf(body)}/btf`, body)
  await settled(service, cache, tables)
  return (cpuMsOf(service) - before) / kernels
}

/** All that is made later is on disk: no file has come, and no thread has run, for some time. */
async function settled (service, cache, tables) {
  for (;;) {
    const [files, cpu] = [countFiles(cache), cpuMsOf(service)]
    await sleep(SETTLED_MS)
    const isIdle = countFiles(cache) === files && cpuMsOf(service) - cpu < IDLE_CPU_MS
    if (isIdle && countFiles(join(cache, 'content', 'layout')) >= tables) return
  }
}

/** Of CPU that an idle service may take meanwhile. */
const IDLE_CPU_MS = 4

function countFiles (folder) {
  if (!existsSync(folder)) return 0
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).length
}

let serial = process.pid * 1000
