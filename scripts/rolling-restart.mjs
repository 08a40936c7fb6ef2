// Restarts two replicas of the service one after the other while clients send requests, as a rolling update does, and counts the requests
// that fail. None may.
//
//     npm run rolling-restart               20,000 requests, the replicas restarted in turn until they are answered
//     npm run rolling-restart -- --short    2,000
//
// Half of the clients go through a proxy of connections, as a Service of Kubernetes is one: a connection stays with its replica for as
// long as it lasts. The others go through a proxy of requests, as an ingress is one, with connections to the replicas that are kept.
// Neither proxy asks another replica when one fails. Both go by readiness alone, looked at as the chart's probe does.
//
// Where the machine has too little time for the load, a replica turns requests away (`overloaded`, with Retry-After), whether or not one is
// being restarted. Clients come back as they are told to, and the number is shown.
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, createServer as createHttpServer, request as httpRequest } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { spawnService } from './service.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const isShort = process.argv.includes('--short')
const REQUESTS = isShort ? 2_000 : 20_000
const CLIENTS = 8
/** readinessProbe of deploy/chart: every 2 s, out after two failures, in after one success. */
const PROBE = { periodMs: 2_000, failures: 2 }
/** Where a client stops for a moment, so that its connection is idle when a replica goes. */
const PAUSE = { every: 50, ms: 1_500 }
/** How often a client that is turned away comes back. */
const MAX_RETURNS = 20
/** After that much time something hangs. */
const LIMIT_MS = 900_000

const OBJECT = readFileSync(`${root}examples/exec.bpf.o`)
const BTF = readFileSync(`${root}examples/kernels/sample.btf`)
const hashOf = bytes => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const RELOCATED = `/relocated/${hashOf(OBJECT)}/${hashOf(BTF)}`

const work = mkdtempSync(join(tmpdir(), 'corelo-rolling-'))
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(work, { recursive: true, force: true })
})
setTimeout(() => { fail(`still at it after ${LIMIT_MS / 1000} s`) }, LIMIT_MS).unref()

const tally = { sent: 0, reused: 0, turnedAway: 0, failures: new Map(), times: [] }
const replicas = await Promise.all([0, 1].map(async index => createReplica(index, await freePort())))
for (const replica of replicas) {
  await replica.start()
  await teach(replica)
}
const probes = replicas.map(watch)
const proxies = [await startConnectionProxy(), await startRequestProxy()]
const expected = await askUntilTaken(new Agent(), proxies[1].port, 'POST')

const update = { isDone: false }
const begun = Date.now()
const load = Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(proxies[index % proxies.length].port, index)))
const stops = []
while (stops.length < replicas.length || tally.sent < REQUESTS) {
  const replica = replicas[stops.length % replicas.length]
  stops.push(await replica.stop())
  await replica.start()
  await until(() => replica.isReady, 30_000, 'a restarted replica was not found ready')
}
update.isDone = true
await load
const seconds = (Date.now() - begun) / 1000

for (const probe of probes) clearInterval(probe)
for (const replica of replicas) await replica.stop('SIGINT')
for (const proxy of proxies) proxy.close()

const failed = [...tally.failures.values()].reduce((sum, count) => sum + count, 0)
const times = tally.times.toSorted((a, b) => a - b)
const quantile = part => `${times[Math.floor((times.length - 1) * part)].toFixed(1)} ms`
console.log(`${tally.sent} requests in ${seconds.toFixed(1)} s, ${tally.reused} of them on a connection that was kept; ` +
  `${tally.turnedAway} turned away for a while; ${failed} failed`)
console.log(`p50 ${quantile(0.5)}, p99 ${quantile(0.99)}, longest ${quantile(1)}`)
const durations = stops.map(({ ms }) => `${(ms / 1000).toFixed(1)} s`).join(', ')
console.log(`${stops.length} stops in ${durations}; exit codes ${stops.map(({ code }) => code).join(', ')}`)
for (const [what, count] of tally.failures) console.error(`${count} x ${what}`)
process.exit(failed === 0 && tally.sent >= REQUESTS && stops.every(({ code }) => code === 0) ? 0 : 1)

function createReplica (index, port) {
  const folder = join(work, `replica-${index}`)
  let server
  const replica = {
    port,
    isReady: false,
    async start () {
      server = spawnService({
        CORELO_PORT: String(port), CORELO_CACHE_DIR: folder, CORELO_LOCAL_KERNEL: 'false', CORELO_WORKERS: '1', CORELO_LOG_LEVEL: 'fatal'
      })
      children.add(server.child)
      await server.ready()
    },
    async stop (signal = 'SIGTERM') {
      const start = Date.now()
      const result = { code: await server.stop(signal), ms: Date.now() - start }
      children.delete(server.child)
      return result
    }
  }
  return replica
}

async function isReady (port) {
  return await fetch(
    `http://127.0.0.1:${port}/readyz`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(PROBE.periodMs) }
  ).then(({ status }) => status === 200, () => false)
}

/** Sets `isReady` as the kubelet does. */
function watch (replica) {
  let failures = 0
  replica.isReady = true
  return setInterval(async () => {
    failures = await isReady(replica.port) ? 0 : failures + 1
    if (failures === 0) replica.isReady = true
    if (failures >= PROBE.failures) replica.isReady = false
  }, PROBE.periodMs)
}

/** The replicas that are ready, in turn. */
function choose () {
  choose.turn = (choose.turn ?? 0) + 1
  const ready = replicas.filter(({ isReady }) => isReady)
  return ready[choose.turn % ready.length]
}

async function startConnectionProxy () {
  const server = createServer(socket => {
    const replica = choose()
    if (replica === undefined) { socket.destroy(); return }
    const upstream = connect(replica.port, '127.0.0.1')
    for (const side of [socket, upstream]) side.setNoDelay(true)
    for (const [side, other] of [[socket, upstream], [upstream, socket]]) {
      side.pipe(other)
      side.on('error', () => { other.destroy() })
    }
  })
  return await listen(server)
}

async function startRequestProxy () {
  const agents = new Map(replicas.map(replica => [replica, new Agent({ keepAlive: true })]))
  const server = createHttpServer((request, response) => {
    const replica = choose()
    if (replica === undefined) { response.writeHead(503, { 'x-proxy': 'no replica is ready' }).end(); return }
    const { connection, ...headers } = request.headers
    const upstream = httpRequest({
      agent: agents.get(replica), host: '127.0.0.1', port: replica.port, method: request.method, path: request.url, headers
    }, answer => {
      const { connection, ...rest } = answer.headers
      response.writeHead(answer.statusCode, rest)
      answer.pipe(response)
    })
    upstream.on('error', error => { response.headersSent ? response.destroy() : response.writeHead(502, { 'x-proxy': error.code }).end() })
    request.pipe(upstream)
  })
  return await listen(server)
}

async function listen (server) {
  await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return { port: server.address().port, close: () => { server.close() } }
}

async function freePort () {
  const { port, close } = await listen(createServer())
  close()
  return port
}

async function teach ({ port }, returns = 0) {
  const answer = await fetch(`http://127.0.0.1:${port}/kernels/sample/1/x86_64/1.0.0/btf`, {
    method: 'PUT', body: BTF, headers: { 'content-type': 'application/octet-stream' }
  })
  if (answer.status === 503 && returns < MAX_RETURNS) {
    await sleep(Number(answer.headers.get('retry-after')) * 1000)
    return await teach({ port }, returns + 1)
  }
  if (!answer.ok) fail(`a replica does not take the sample's BTF: ${await answer.text()}`)
  // A replica answers for a hash once it was sent the object itself.
  await askUntilTaken(new Agent(), port, 'POST')
}

async function client (port, index) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let turn = index; !update.isDone; turn++) {
    const start = performance.now()
    const method = turn % 4 === 0 ? 'GET' : 'POST'
    tally.sent += 1
    await askUntilTaken(agent, port, method).then(digest => {
      if (digest !== expected) count('other bytes than before')
    }, error => { count(`${method}: ${error.message}`) })
    tally.times.push(performance.now() - start)
    if (turn % PAUSE.every === 0) await sleep(PAUSE.ms)
  }
  agent.destroy()
}

async function askUntilTaken (agent, port, method, returns = 0) {
  try {
    return await ask(agent, port, method)
  } catch (error) {
    if (error.code !== 'overloaded' || !(error.retryAfter > 0) || returns === MAX_RETURNS) throw error
    tally.turnedAway += 1
    await sleep(error.retryAfter * 1000)
    return await askUntilTaken(agent, port, method, returns + 1)
  }
}

function count (what) { tally.failures.set(what, (tally.failures.get(what) ?? 0) + 1) }

/** The digest of the relocated object. Once a result is there, both ways of asking give the same. */
async function ask (agent, port, method) {
  const options = method === 'GET'
    ? { path: RELOCATED }
    : {
        path: `/relocate?btf_sha256=${hashOf(BTF)}`,
        headers: { 'content-type': 'application/octet-stream', 'content-length': OBJECT.length }
      }
  return await new Promise((resolve, reject) => {
    const request = httpRequest({ agent, host: '127.0.0.1', port, method, ...options }, answer => {
      const chunks = []
      answer.on('data', chunk => { chunks.push(chunk) })
      answer.once('error', reject)
      answer.once('end', () => {
        const body = Buffer.concat(chunks)
        if (request.reusedSocket) tally.reused += 1
        if (answer.statusCode === 200) resolve(hashOf(body))
        else reject(refusal(answer, body))
      })
    })
    request.once('error', reject)
    request.end(method === 'GET' ? undefined : OBJECT)
  })
}

function refusal ({ statusCode, headers }, body) {
  const { code, detail } = headers['content-type']?.startsWith('application/problem+json')
    ? JSON.parse(body.toString())
    : { detail: headers['x-proxy'] }
  return Object.assign(new Error(`${statusCode} ${code ?? ''} ${detail}`), { code, retryAfter: Number(headers['retry-after']) })
}

async function until (isSo, limitMs, otherwise) {
  const end = Date.now() + limitMs
  while (!await isSo()) {
    if (Date.now() > end) fail(otherwise)
    await sleep(50)
  }
}

function fail (message) {
  console.error(message)
  process.exit(1)
}
