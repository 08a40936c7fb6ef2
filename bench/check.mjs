import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { besideLoad } from './beside-load.mjs'
import { bpftoolMs } from './bpftool.mjs'
import { copyFleet } from './cache-folder.mjs'
import { check } from './check-client.mjs'
import { commandCpuMs } from './command.mjs'
import { fillFleet } from './fleet-folder.mjs'
import { labObjects } from './lab.mjs'
import { cpuMsOf, residentBytes, startMeasured } from './servers.mjs'

/** What is asked for beside checks: see steady-load.mjs. */
const LOADS = ['POST of a new object', 'POST of a held object', 'GET of a held result']

/**
 * Checks through the whole service: objects on fleets of several sizes, in a process that has just started, again, and of an object that
 * is new to it, beside a loop of `bpftool gen min_core_btf` over the same files. CPU is that of all threads. `command` is `corelo check`
 * over the service's cache folder: a process from its start to its end. Then steady loads, alone and beside checks of one of the fleets,
 * each of objects that no check has had before.
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
        for (const [kind, checked] of LOADS.flatMap(kind => [[kind, one], [kind, objects]])) {
          rows.push(await besideLoad(cache, { kernels, kernel, kind, objects: checked, windows, seconds }))
        }
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
  const asCommand = ['check', ...files, '--kernels', '*']
  // Some objects fail on some kernels, or it cannot be told.
  const command = await commandCpuMs(asCommand, { CORELO_CACHE_DIR: cache, CORELO_TRUST_UPLOADS: 'true' }, [0, 1, 3])
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
    'command CPU ms': command,
    'again CPU ms': again.cpu,
    'other objects CPU ms': other.cpu,
    outcomes: cold.value.outcomes,
    'resident +MB': resident,
    'bpftool CPU ms': bpftool,
    'cold / bpftool': bpftool === undefined ? undefined : cold.cpu / bpftool,
    'command / bpftool': bpftool === undefined ? undefined : command / bpftool,
    'again / bpftool': bpftool === undefined ? undefined : again.cpu / bpftool,
    'other / bpftool': bpftool === undefined ? undefined : other.cpu / bpftool
  }
}

async function timed (service, work) {
  const [started, cpu] = [performance.now(), cpuMsOf(service)]
  const value = await work()
  return { value, ms: performance.now() - started, cpu: cpuMsOf(service) - cpu }
}
