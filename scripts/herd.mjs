// A herd: thousands of agents that start within seconds, as after a power cut, against two replicas with cold caches and an S3
// store that they share. Prints what the agents saw and what it cost, and fails where an agent was failed.
//
//     npm run herd -- [--short] [--agents N] [--seconds N] [--kernels N] [--replicas N] [--out FILE]
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cpuMsOf } from '../bench/servers.mjs'
import { printTable } from '../bench/statistics.mjs'
import { hashOf, runAgents } from './herd/agents.mjs'
import { startOrigin } from './herd/origin.mjs'
import { startSharedStore } from './herd/shared-store.mjs'
import { startService } from './service.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    agents: { type: 'string' },
    seconds: { type: 'string' },
    kernels: { type: 'string' },
    replicas: { type: 'string', default: '2' },
    out: { type: 'string' }
  }
})
const whole = { agents: 5000, seconds: 10, kernels: 40 }
const short = { agents: 300, seconds: 3, kernels: 8 }
const size = {
  ...(values.short ? short : whole),
  ...Object.fromEntries(['agents', 'seconds', 'kernels'].flatMap(name => values[name] === undefined ? [] : [[name, Number(values[name])]]))
}

/** Together a node's agents keep few connections open to a Service; without keep-alive a herd measures the kernel's TCP. */
const CONNECTIONS = 64
const OBJECTS = 5

const work = mkdtempSync(join(tmpdir(), 'corelo-herd-'))
const running = []
try {
  const source = existsSync('/sys/kernel/btf/vmlinux') ? '/sys/kernel/btf/vmlinux' : join(root, 'examples/kernels/sample.btf')
  const origin = await startOrigin(readFileSync(source), size.kernels)
  running.push(origin)
  const store = await startSharedStore(join(work, 's3'))
  running.push(store)
  const replicas = []
  for (let i = 0; i < Number(values.replicas); i++) {
    const replica = await startService({
      CORELO_TRUST_UPLOADS: 'true',
      CORELO_CACHE_DIR: join(work, `replica-${i}`),
      CORELO_BTFHUB_URL: origin.url,
      CORELO_BTFHUB_DIR: '',
      CORELO_UPSTREAM: '',
      CORELO_LOCAL_KERNEL: 'false',
      ...store.settings
    })
    running.push({ close: () => replica.stop() })
    replicas.push(replica)
  }
  const objects = Array.from({ length: OBJECTS }, (_, i) => makeObject(readFileSync(join(root, 'examples/exec.bpf.o')), i))
  const before = replicas.map(cpuMsOf)
  const seen = await runAgents({
    services: replicas.map(({ url }) => url),
    ...size,
    objects,
    kernels: origin.releases.map(release => `ubuntu/20.04/x86_64/${release}`),
    connections: CONNECTIONS
  })
  const cpu = replicas.map((replica, i) => cpuMsOf(replica) - before[i])
  report(seen, cpu, [...origin.fetches.values()], replicas.length)
} finally {
  for (const { close } of running.reverse()) await close()
  rmSync(work, { recursive: true, force: true })
}

/** The object with a number where no loader looks (e_flags): five objects out of one. */
function makeObject (bytes, number) {
  const copy = Buffer.from(bytes)
  copy.writeUInt32LE(number, 48)
  return { name: `object-${number}`, bytes: copy, hash: hashOf(copy) }
}

function report (seen, cpu, fetches, replicas) {
  const latencies = seen.latencies.sort((a, b) => a - b)
  const at = share => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]
  const requests = latencies.length
  const row = {
    agents: size.agents,
    kernels: size.kernels,
    replicas,
    seconds: seen.seconds,
    requests,
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    'max ms': at(1),
    'CPU s': sum(cpu) / 1000,
    'CPU ms/request': sum(cpu) / requests,
    fetches: sum(fetches),
    uploads: seen.uploads,
    'told to wait': seen.waits
  }
  printTable([row])
  console.log(`  answers: ${[...seen.statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} of ${status}`).join(', ')}`)
  if (values.out !== undefined) {
    writeFileSync(values.out, `${JSON.stringify({ ...row, statuses: Object.fromEntries(seen.statuses) }, null, 2)}\n`)
  }

  const faults = [...new Set(seen.failures)]
  if (Math.max(...fetches) > replicas) faults.push(`a kernel was fetched ${Math.max(...fetches)} times by ${replicas} replicas`)
  if (seen.results.size !== OBJECTS * size.kernels) faults.push(`${seen.results.size} results of ${OBJECTS * size.kernels}`)
  for (const fault of faults.slice(0, 20)) console.error(`fault: ${fault}`)
  console.log(faults.length === 0
    ? 'every agent got every object, and each kernel was fetched at most once a replica'
    : `${faults.length} faults`)
  if (faults.length > 0) process.exitCode = 1
}

function sum (values) { return values.reduce((a, b) => a + b, 0) }
