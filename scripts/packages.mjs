// Debian's own repository, as apt on this machine names it, through a service.
//
//   npm run packages                            the test of a few kernels whose BTF the lab has; needs the lab
//   npm run packages -- --all                   every suite and architecture: newest, oldest and a random kernel of each, then all others
//   npm run packages -- --all --minutes 35      ends after so long, with what has been fetched until then
//   npm run packages -- --all --keep FOLDER     keeps the cache folder of the service, for `npm run bench -- --only check --cache FOLDER`
//   npm run packages -- --all --suites sid,trixie --arches amd64 --compare 8 --seed 7 --out rows.tsv
//
// Some are compared with BTF that dpkg-deb, the packers' own tools and objcopy take out of a package of their own download.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { extractBtf } from './packages/extract.mjs'
import { listSuites, mirrorOfApt } from './packages/mirror.mjs'
import { summarise, tsv } from './packages/table.mjs'

const ROOT = join(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '240' },
    suites: { type: 'string' },
    arches: { type: 'string', default: 'amd64,arm64,riscv64' },
    compare: { type: 'string', default: '6' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    keep: { type: 'string' },
    out: { type: 'string' }
  }
})
if (!values.all) {
  const { status } = spawnSync(process.execPath, [
    join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'vitest.lab.config.ts', 'test/packages/debian.test.ts'
  ], { cwd: ROOT, stdio: 'inherit' })
  process.exit(status ?? 1)
}

const mirror = mirrorOfApt()
if (mirror === undefined) {
  console.log("packages: skipped: apt's sources on this machine name no mirror of Debian.")
  process.exit(0)
}
const { createService } = await import('../dist/service/service.js')
const ends = Date.now() + Number(values.minutes) * 60_000
const work = mkdtempSync(join(tmpdir(), 'corelo-all-'))
const cache = values.keep ?? join(work, 'cache')
const random = mulberry32(Number(values.seed))

try {
  const suites = await listSuites(mirror, values.suites?.split(','), values.arches.split(','))
  const kernels = inOrder(suites)
  const service = await start(suites)
  const indexCpu = await readIndexes(service, suites)
  const rows = await fetchAll(service, kernels)
  await service.close()
  if (values.out !== undefined) writeFileSync(values.out, tsv(rows))
  console.log(summarise({ suites, rows, distinct: kernels.length, indexCpu, seed: values.seed }))
  process.exitCode = rows.some(({ reason, equal }) => reason !== '' || equal === false) ? 1 : 0
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** What the mirror has, whose end has passed as a tree of the past: the mirror no longer renews it. */
async function start (suites) {
  const file = join(work, 'debian.yaml')
  const entries = suites.map(({ suite, arches, hasExpired }) =>
    `  - { preset: debian, mirror: "${mirror}", suites: [${suite}], arches: [${arches.join(', ')}]${hasExpired ? ', history: true' : ''} }`)
  writeFileSync(file, `repositories:\n${entries.join('\n')}\n`)
  const service = createService({
    cacheDir: cache,
    memoryBytes: 64 * 1024 ** 2,
    workers: 1,
    deadlineMs: 120_000,
    maxObjectBytes: 1 << 24,
    maxBtfBytes: 1 << 26,
    localKernel: false,
    trustUploads: false,
    packages: [file]
  }, { onWarning: (message, facts) => { console.error(message, JSON.stringify(facts).replaceAll(new URL(mirror).host, 'MIRROR')) } })
  await service.ready()
  return service
}

/**
 * Has the service read all indexes, those of trees of the past by a kernel that none has: what they cost is no kernel's.
 *
 * @returns seconds of CPU
 */
async function readIndexes (service, suites) {
  const before = process.cpuUsage()
  await service.refreshCatalog()
  for (const { arches, kernels: [kernel] } of suites) {
    for (const arch of kernel === undefined ? [] : arches) {
      const reference = { distro: 'debian', distroVersion: kernel.distroVersion, arch: nameOfArch(arch), release: '0.0.0-0-none' }
      await service.getKernelBtf(reference, undefined, { waitMs: 600_000 }).catch(() => {})
    }
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

function nameOfArch (arch) { return { amd64: 'x86_64' }[arch] ?? arch }

/** Newest, oldest and one by chance of each suite and architecture; then all others by chance. */
function inOrder (suites) {
  const first = []
  const rest = []
  const known = new Set()
  for (const { kernels } of suites) {
    for (const arch of new Set(kernels.map(kernel => kernel.arch))) {
      // A kernel that two suites have is one.
      const own = kernels.filter(kernel => kernel.arch === arch && !known.has(nameOf(kernel)))
      if (own.length === 0) continue
      for (const kernel of own) known.add(nameOf(kernel))
      const chosen = new Set([own.at(-1), own[0], own[Math.floor(random() * own.length)]])
      first.push(...chosen)
      rest.push(...own.filter(kernel => !chosen.has(kernel)))
    }
  }
  for (let i = rest.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [rest[i], rest[j]] = [rest[j], rest[i]]
  }
  // Compared are kernels of as many suites and architectures as there are comparisons to make.
  const compared = new Set()
  const places = new Set()
  for (const kernel of first) {
    const place = `${kernel.suite} ${kernel.arch}`
    if (places.has(place) || compared.size === Number(values.compare)) continue
    places.add(place)
    compared.add(kernel)
  }
  return [...first, ...rest].map(kernel => ({ ...kernel, isCompared: compared.has(kernel) }))
}

function nameOf ({ distroVersion, arch, release }) { return `${distroVersion} ${arch} ${release}` }

async function fetchAll (service, kernels) {
  const rows = []
  for (const kernel of kernels) {
    if (Date.now() > ends) break
    const { distroVersion, arch, release } = kernel
    const reference = { distro: 'debian', distroVersion, arch: nameOfArch(arch), release }
    const [cpu, began] = [process.cpuUsage(), performance.now()]
    let sha256 = ''
    let reason = ''
    try {
      const got = await service.getKernelBtf(reference, undefined, { waitMs: 600_000 })
      sha256 = got.sha256
    } catch (error) {
      reason = String(error).replaceAll(new URL(mirror).host, 'MIRROR')
    }
    const { user, system } = process.cpuUsage(cpu)
    const row = { ...kernel, cpu: (user + system) / 1e6, seconds: (performance.now() - began) / 1000, reason, sha256 }
    if (kernel.isCompared && reason === '') Object.assign(row, await compare(kernel, sha256))
    rows.push(row)
    const compared = row.equal === undefined ? '' : row.equal ? 'equal' : `DIFFERENT ${row.other}`
    console.error(`${rows.length}/${kernels.length} ${kernel.suite} ${arch} ${release} ${row.cpu.toFixed(2)} s ${reason}${compared}`)
  }
  return rows
}

async function compare (kernel, sha256) {
  const other = await extractBtf(kernel, work)
  return { equal: other === sha256, other }
}

function mulberry32 (seed) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4294967296
  }
}
