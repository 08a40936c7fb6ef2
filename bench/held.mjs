import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sha256 } from '../dist/store/sha256.js'
import { labBtfs, labObjects } from './lab.mjs'
import { cpuMsOf, putBytes, startBareRelocated, startMeasured } from './servers.mjs'
import { median } from './statistics.mjs'

const run = promisify(execFile)
const CONNECTIONS = 16

/**
 * What the service spends on results that it holds, with wrk as the load: GET /relocated of 50 KB and its 304 beside a bare
 * Fastify route that sends the same bytes and headers; and, where another checkout is given that is built, those and POST
 * /relocate beside that one. Rounds of all servers alternate; ratios are of neighbouring rounds, and above 1 where this one does better.
 *
 * @param {{ rounds: number, seconds: number, beside?: string }} options
 */
export async function benchHeld ({ rounds, seconds, beside }) {
  const [object] = labObjects().map(({ path }) => readFileSync(path)).sort((a, b) =>
    Math.abs(a.length - 50_000) - Math.abs(b.length - 50_000))
  const [kernel] = labBtfs().filter(({ name }) => name === 'running').concat(labBtfs())
  if (object === undefined || kernel === undefined || !existsSync('/proc/self/schedstat')) return []
  if (spawnSync('wrk', ['-v']).error !== undefined) {
    console.log('  left out: wrk is not installed')
    return []
  }
  const folder = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  const servers = {}
  try {
    const btf = readFileSync(kernel.path)
    servers.service = await hold(folder, object, btf)
    if (beside !== undefined) servers.beside = await hold(folder, object, btf, beside)
    const path = `/relocated/${sha256(object)}/${sha256(btf)}`
    const answer = await fetch(servers.service.url + path)
    await answer.arrayBuffer()
    servers.bare = await startBareRelocated(servers.service.url + path)
    const asks = [
      { name: 'GET', path, args: [], isBareToo: true },
      { name: 'GET, 304', path, args: ['-H', `if-none-match: ${answer.headers.get('etag')}`], isBareToo: true },
      {
        name: 'POST, raw body',
        path: `/relocate?btf_sha256=${sha256(btf)}`,
        args: ['-s', script(folder, 'raw', 'application/octet-stream', object)]
      },
      {
        name: 'POST, form',
        path: '/relocate',
        args: ['-s', script(folder, 'form', 'multipart/form-data; boundary=bench', form(object, sha256(btf)))]
      }
    ]
    const rows = []
    for (const ask of asks) {
      for (const [other, server] of Object.entries(servers)) {
        if (other === 'service' || (other === 'bare' && ask.isBareToo !== true)) continue
        rows.push(await compare(ask, servers.service, other, server, { rounds, seconds }))
      }
    }
    return rows
  } finally {
    for (const server of Object.values(servers)) await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compare (ask, service, other, server, { rounds, seconds }) {
  for (const each of [service, server]) await load(each, ask, 1)
  const costs = []
  for (let round = 0; round < rounds; round++) {
    costs.push({ ours: await load(service, ask, seconds), theirs: await load(server, ask, seconds) })
  }
  const middle = pick => median(costs.map(pick))
  return {
    request: ask.name,
    beside: other,
    'requests/s': middle(({ ours }) => ours.perSecond),
    'theirs/s': middle(({ theirs }) => theirs.perSecond),
    throughput: middle(({ ours, theirs }) => ours.perSecond / theirs.perSecond),
    'CPU us': middle(({ ours }) => ours.cpuUs),
    'their CPU us': middle(({ theirs }) => theirs.cpuUs),
    'their CPU / ours': middle(({ ours, theirs }) => theirs.cpuUs / ours.cpuUs)
  }
}

/** A service that has relocated the object for the kernel. */
async function hold (folder, object, btf, checkout) {
  const server = await startMeasured({ CORELO_CACHE_DIR: mkdtempSync(join(folder, 'cache-')) }, checkout)
  for (const [path, body] of [['/kernels/bench/1/x86_64/bench/btf', btf], [`/objects/${sha256(object)}`, object]]) {
    await putBytes(server, path, body)
  }
  await (await fetch(`${server.url}/relocated/${sha256(object)}/${sha256(btf)}`)).arrayBuffer()
  return server
}

async function load (server, { path, args }, seconds) {
  const before = cpuMsOf(server)
  const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, ...args, server.url + path])
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  if (!(requests > 0) || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk says of ${path}:\n${stdout}`)
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), cpuUs: (cpuMsOf(server) - before) / requests * 1000 }
}

/** wrk takes a body from a script, which reads it from a file. */
function script (folder, name, type, body) {
  const path = join(folder, name)
  writeFileSync(path, body)
  writeFileSync(
    `${path}.lua`, `wrk.method = "POST"\nwrk.headers["content-type"] = "${type}"\nwrk.body = io.open("${path}", "rb"):read("*a")\n`
  )
  return `${path}.lua`
}

function form (object, btfSha256) {
  const part = (facts, body) =>
    Buffer.concat([Buffer.from(`--bench\r\ncontent-disposition: form-data; ${facts}\r\n\r\n`), body, Buffer.from('\r\n')])
  return Buffer.concat([
    part('name="btf_sha256"', Buffer.from(btfSha256)),
    part('name="object"; filename="x.bpf.o"\r\ncontent-type: application/octet-stream', object), Buffer.from('--bench--\r\n')
  ])
}
