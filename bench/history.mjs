import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseRawBtf } from '../dist/btf/parse.js'
import { openKernelIndex } from '../dist/kernels/kernel-index.js'
import { buildLayoutTable } from '../dist/layout/index.js'
import { openContentStore } from '../dist/store/content-store.js'
import { sha256 } from '../dist/store/sha256.js'
import { LAYOUT_FORMAT, layoutContent } from '../dist/workers/layout-format.js'
import { variantOf } from '../scripts/archive.mjs'
import { importedRow, tableOf } from './fleet-folder.mjs'
import { labBtfs } from './lab.mjs'
import { cpuMsOf, startMeasured } from './servers.mjs'

const QUESTION = 'type=struct+task_struct&member=state'

/**
 * Where a member was, over kernels that are held: those of the lab under other names. With layout tables one BTF is read of each layout,
 * without them each BTF. From a process that has just started, then again, then another member of the type. Beside pahole, which prints
 * the type of one kernel.
 */
export async function benchHistory ({ kernels, untabled }) {
  const cache = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  try {
    const btfs = labBtfs()
    await prepare(cache, btfs.map(({ path }) => readFileSync(path)), { kernels, untabled })
    const pahole = paholeMs(btfs)
    const rows = []
    for (const [name, pattern, count] of [
      ['layout tables', 'tabled/*/*/*', kernels], ['none: each BTF is read', 'untabled/*/*/*', untabled]
    ]) {
      const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' })
      const ask = question => timed(service, `${service.url}/types/history?${question}&kernels=${pattern}`, count)
      try {
        const [first, again, other] = [await ask(QUESTION), await ask(QUESTION), await ask(QUESTION.replace('state', 'pid'))]
        rows.push({
          kernels: count,
          tables: name,
          ranges: first.ranges,
          'first ms': first.ms,
          'first CPU ms': first.cpu,
          'again ms': again.ms,
          'again CPU ms': again.cpu,
          'other member ms': other.ms,
          'pahole a kernel, ms': pahole,
          'times faster than pahole for each': pahole * count / first.ms
        })
      } finally {
        await service.stop()
      }
    }
    return rows
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
}

async function timed (service, address, count) {
  const [started, cpu] = [performance.now(), cpuMsOf(service)]
  const response = await fetch(address)
  const answer = await response.json()
  const told = (answer.ranges ?? []).reduce((sum, range) => sum + range.kernels, 0)
  if (response.status !== 200 || told !== count) {
    throw new Error(`the history answered ${response.status} about ${told} kernels: ${JSON.stringify(answer.left_out ?? answer)}`)
  }
  return { ms: performance.now() - started, cpu: cpuMsOf(service) - cpu, ranges: answer.ranges.length }
}

/** Milliseconds in which pahole prints the type of one kernel; NaN where it is not there. */
function paholeMs (btfs) {
  const started = performance.now()
  const runs = btfs.map(({ path }) => spawnSync('pahole', ['-C', 'task_struct', '-F', 'btf', path]))
  return runs.every(({ status }) => status === 0) ? (performance.now() - started) / btfs.length : NaN
}

async function prepare (directory, btfs, { kernels, untabled }) {
  const store = openContentStore({ directory })
  const index = await openKernelIndex({ directory })
  const put = async (distro, i, hash, bytes) => {
    const reference = { distro, distroVersion: '1', arch: 'x86_64', release: `6.1.0-${String(i).padStart(6, '0')}` }
    await index.put(importedRow(reference, hash, bytes.length))
  }
  const tables = btfs.map(bytes => buildLayoutTable(parseRawBtf(new Uint8Array(bytes)), layoutContent(sha256(bytes)), LAYOUT_FORMAT))
  for (let i = 0; i < kernels; i++) {
    const [bytes, table] = [btfs[i % btfs.length], tables[i % btfs.length]]
    const hash = i < btfs.length ? sha256(bytes) : sha256(`kernel ${i}`)
    if (i < btfs.length) await store.write('btf', hash, bytes) // the first of a layout is the one that is read
    await store.write('layout', hash, tableOf(table, hash))
    await put('tabled', i, hash, bytes)
  }
  for (let i = 0; i < untabled; i++) {
    const bytes = variantOf(btfs[i % btfs.length], Buffer.from(`kernel_${i}\0`))
    const hash = sha256(bytes)
    await store.write('btf', hash, bytes)
    await put('untabled', i, hash, bytes)
  }
  await index.close()
  await store.close()
}
