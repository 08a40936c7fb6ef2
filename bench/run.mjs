import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchCheck } from './check.mjs'
import { benchHistory } from './history.mjs'
import { benchHeld } from './held.mjs'
import { benchJudge, benchLargest } from './judge.mjs'
import { hasLab } from './lab.mjs'
import { benchFleet, benchIntake } from './layouts.mjs'
import { benchMemory } from './memory.mjs'
import { benchPackage } from './package.mjs'
import { benchParse } from './parse.mjs'
import { benchPut } from './put.mjs'
import { benchLargeObjects, benchRelocate, benchVerdicts } from './relocate.mjs'
import { benchRequest } from './request.mjs'
import { benchRestart } from './restart.mjs'
import { median, printTable } from './statistics.mjs'

/**
 * Measures what the project promises about speed, as ratios of runs side by side, and keeps the figures as JSON. It judges
 * nothing: machines are noisy, and the reader sees both numbers.
 *
 *   npm run bench -- --only check --cache FOLDER     on the kernels of a service's cache folder (npm run packages -- --all --keep FOLDER)
 */
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    beside: { type: 'string' },
    cache: { type: 'string' },
    out: { type: 'string', default: join(import.meta.dirname, 'results', 'latest.json') }
  }
})
if (!hasLab()) {
  console.log('bench: skipped: libbpf and real objects to compare with are not there; test/lab/prepare.sh makes them.')
  process.exit(0)
}

const SHORT_CHECK = { fleets: [{ kernels: 40, layouts: 8, files: 3, isBesideLoad: true }], windows: 1, seconds: 1, most: 5 }
/** The BTF of 1,000 kernels has 4 GB. */
const LONG_CHECK = {
  fleets: [
    { kernels: 100, layouts: 40, files: 100 },
    { kernels: 1000, layouts: 40, files: 1000 },
    { kernels: 5000, layouts: 40, isBesideLoad: true },
    { kernels: 10_000, layouts: 40 }
  ],
  windows: 5,
  seconds: 10
}

const sections = [
  {
    name: 'parse', title: "Reading and indexing a kernel's BTF, beside btf__parse", run: () => benchParse({ runs: values.short ? 5 : 25 })
  },
  {
    name: 'relocate',
    title: 'Relocating an object against BTF read already, beside libbpf',
    run: () => benchRelocate({ runs: values.short ? 5 : 25 })
  },
  {
    name: 'large',
    title: 'Relocating objects of tens of thousands of records, beside libbpf',
    run: () => benchLargeObjects({ runs: values.short ? 5 : 15 })
  },
  {
    name: 'judge',
    title: 'The verdict about large programs, with the report, at first and later',
    run: () => benchJudge({ runs: values.short ? 5 : 15 })
  },
  {
    name: 'verdict',
    title: 'Verdict and report beside the relocation, on every kernel of the lab',
    run: () => benchVerdicts({ runs: values.short ? 5 : 25 })
  },
  {
    name: 'largest',
    title: 'The verdict about the largest real object, with the report, at first and later',
    run: () => benchLargest({ runs: values.short ? 3 : 15 })
  },
  {
    name: 'request',
    title: 'CPU of POST /relocate with the BTF in memory, beside bare Fastify',
    run: () => benchRequest(values.short ? { requests: 500, rounds: 3 } : { requests: 2000, rounds: 9 })
  },
  {
    name: 'held',
    title: 'Results that are held, beside bare Fastify (and beside the checkout of --beside)',
    run: () => benchHeld(values.short ? { rounds: 2, seconds: 1, beside: values.beside } : { rounds: 7, seconds: 2, beside: values.beside })
  },
  {
    name: 'memory',
    title: 'Resident memory of a service that holds many kernels',
    run: () => benchMemory({ kernels: values.short ? 10 : 50 })
  },
  { name: 'package', title: 'A cold kernel out of a package repository', run: () => benchPackage({ runs: values.short ? 1 : 10 }) },
  {
    name: 'intake',
    title: "A kernel's layout table, beside what its BTF costs when it is taken in",
    run: () => benchIntake({ runs: values.short ? 1 : 15 })
  },
  {
    name: 'put',
    title: 'CPU of PUT of kernels never seen before, all threads (and beside the checkout of --beside)',
    run: () => benchPut(values.short ? { kernels: 2, rounds: 1, beside: values.beside } : { kernels: 10, rounds: 5, beside: values.beside })
  },
  {
    name: 'fleet',
    title: 'Telling kernels apart for an object by their layout tables',
    run: () => benchFleet({ kernels: values.short ? 100 : 1000 })
  },
  {
    name: 'history',
    title: 'Where a member was, over many kernels, beside pahole',
    run: () => benchHistory(values.short ? { kernels: 20, untabled: 3 } : { kernels: 1000, untabled: 100 })
  },
  {
    name: 'check',
    title: 'Objects on many kernels, and POST /relocate beside that',
    run: () => benchCheck(withCache(values.short ? SHORT_CHECK : LONG_CHECK))
  },
  {
    name: 'restart',
    title: 'From the start of the process until it is ready, with 500 kernels held, and with 10,000',
    run: () => benchRestarts()
  }
].filter(({ name }) => values.only === undefined || values.only.split(',').includes(name))

const results = { node: process.version, cpu: cpus()[0]?.model, cores: availableParallelism(), short: values.short }
for (const { name, title, run } of sections) {
  console.log(`\n${title}`)
  const rows = await run()
  printTable(rows)
  if (name === 'relocate') printTable(summaries(rows))
  results[name] = rows
}
mkdirSync(join(values.out, '..'), { recursive: true })
writeFileSync(values.out, JSON.stringify(results, null, 2) + '\n')

function withCache (options) {
  return values.cache === undefined ? options : { ...options, fleets: [{ from: values.cache, isBesideLoad: true }] }
}

/** With 10,000 kernels their content is small: none of it is read at the start. */
async function benchRestarts () {
  const few = await benchRestart({ kernels: 500, runs: values.short ? 3 : 9 })
  return values.short ? few : [...few, ...await benchRestart({ kernels: 10_000, runs: 5, contentBytes: 1000 })]
}

/** The worst and the middle of the ratios, where a table has fifty rows. */
function summaries (rows) {
  return [
    'ratio', 'ratio to that', 'verdict / relocation', 'report / relocation', 'both / relocation', 'both and JSON / relocation',
    'both on a new kernel / relocation'
  ].map(name => {
    const ratios = rows.map(row => row[name])
    return { ratio: name, objects: rows.length, median: median(ratios), worst: Math.max(...ratios) }
  })
}
