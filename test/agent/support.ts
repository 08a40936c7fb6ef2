import { spawn, type ChildProcess } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { machine, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll } from 'vitest'
import { normalizeArch } from '../../src/identity/arch.js'
import { EXEC, SAMPLE } from '../cli/corelo.js'
import { MAIN, ROOT, runWarm } from '../support/command.js'
import { COMPILE_LATER } from '../support/compile-later.js'
import { startListening } from '../support/service.js'

/** The kernel that nodes of these tests pass for. Its BTF is that of examples/kernels. */
const RELEASE = '6.1.0-sample'
export const REFERENCE = `sample/1/${normalizeArch(machine())}/${RELEASE}`

/** Stops processes and removes folders once a file's tests are over. To be called once in it. */
export function cleanUpAfterAll (): Cleanup {
  const steps: Array<() => unknown> = []
  afterAll(async () => { for (const step of steps.reverse()) await step() })
  return { add: step => { steps.push(step) } }
}

export interface Cleanup { add (step: () => unknown): void }

export interface Service {
  readonly url: string
  /** Its public keys, as a file for --keys. */
  readonly keys: string
  stop (): Promise<unknown>
}

/** A service on a port of its own. Its sample kernel answers for its name. */
export async function startService (
  cleanup: Cleanup, options: { port?: number, folder?: string, hasSample?: boolean, settings?: Readonly<Record<string, string>> } = {}
): Promise<Service> {
  const folder = options.folder ?? temporaryFolder(cleanup)
  const { url, stop } = await startListening({
    CORELO_PORT: String(options.port ?? 0), CORELO_CACHE_DIR: join(folder, 'cache'), CORELO_TRUST_UPLOADS: 'true', ...options.settings
  })
  cleanup.add(stop)
  const keys = join(folder, 'keys.json')
  writeFileSync(keys, await (await patiently(async () => await fetch(`${url}/.well-known/corelo-keys.json`))).text())
  if (options.hasSample !== false) await putKernel(url, REFERENCE, readFileSync(SAMPLE))
  return { url, keys, stop }
}

/** Where nobody listens: a port that no server of another test can be given, since the system gives out none below 1024. */
export const DEAD_ADDRESS = 'http://127.0.0.1:2'

export async function putKernel (url: string, reference: string, btf: Uint8Array, kernelVersion?: string): Promise<void> {
  const query = kernelVersion === undefined ? '' : `?kernel_version=${encodeURIComponent(kernelVersion)}`
  const send = async (): Promise<Response> => await fetch(
    `${url}/kernels/${reference}/btf${query}`, { method: 'PUT', body: btf, headers: { 'content-type': 'application/octet-stream' } }
  )
  const { ok, status } = await patiently(send)
  if (!ok) throw new Error(`the service did not take the BTF of ${reference}: ${status}`)
}

/** A service on a machine with too much to do says so, and to come back. */
async function patiently (send: () => Promise<Response>): Promise<Response> {
  for (;;) {
    const response = await send()
    if (response.status !== 503) return response
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** A node: folders for objects and results, and an os-release. */
export interface Node {
  readonly objects: string
  readonly out: string
  /** Of a kernel that shows BTF; empty unless something is put there. */
  readonly btf: string
  readonly settings: Readonly<Record<string, string>>
}

export function createNode (cleanup: Cleanup, objects: readonly string[] = [EXEC]): Node {
  const folder = temporaryFolder(cleanup)
  const [host, inputs, btf] = ['host', 'objects', 'btf'].map(name => join(folder, name)) as [string, string, string]
  for (const path of [join(host, 'etc'), inputs, btf]) mkdirSync(path, { recursive: true })
  writeFileSync(join(host, 'etc/os-release'), 'ID=sample\nVERSION_ID="1"\n')
  for (const object of objects) copyFileSync(object, join(inputs, basename(object)))
  const out = join(folder, 'out')
  return {
    objects: inputs,
    out,
    btf,
    settings: {
      CORELO_AGENT_OBJECTS: inputs,
      CORELO_AGENT_OUT: out,
      CORELO_HOST_ROOT: host,
      CORELO_AGENT_KERNEL_RELEASE: RELEASE,
      CORELO_AGENT_KERNEL_BTF_DIR: btf,
      CORELO_AGENT_WAIT_MS: '0',
      CORELO_AGENT_PORT: '0',
      CORELO_AGENT_POLL_MS: '20',
      CORELO_AGENT_SPREAD_MS: '0',
      CORELO_AGENT_RETRY_MS: '200'
    }
  }
}

export interface LogLine { readonly level: number, readonly msg: string, readonly object?: string, readonly [fact: string]: unknown }

export interface AgentRun {
  readonly code: number | null
  readonly lines: readonly LogLine[]
  readonly stderr: string
}

/** Runs `corelo agent --once` to its end. */
export async function runOnce (
  node: Node, server: string, settings: Readonly<Record<string, string>> = {}, args: readonly string[] = []
): Promise<AgentRun> {
  const env = { PATH: process.env['PATH'], ...node.settings, ...settings }
  const { code, stdout, stderr } = await runWarm({ args: ['agent', '--once', '--server', server, ...args], env, cwd: ROOT })
  return { code, lines: parseLog(stdout.toString()), stderr }
}

export interface RunningAgent {
  readonly url: string
  readonly lines: LogLine[]
  /** Waits for a line that was or will be logged. */
  line (matches: (line: LogLine) => boolean): Promise<LogLine>
  /** The value of a metric, by its name and labels as /metrics writes them. */
  metric (name: string): Promise<number | undefined>
  ready (): Promise<{ readonly status: number, readonly body: Record<string, unknown> }>
  /** @returns its exit code */
  stop (signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts `corelo agent`, watching. */
export async function startAgent (
  cleanup: Cleanup, node: Node, server: string, settings: Readonly<Record<string, string>> = {}, args: readonly string[] = []
): Promise<RunningAgent> {
  const child = spawn(
    process.execPath, [...COMPILE_LATER, MAIN, 'agent', '--server', server, ...args],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'], ...node.settings, ...settings } }
  )
  const stop = stopper(child)
  cleanup.add(() => stop())
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  let rest = ''
  child.stdout.on('data', chunk => {
    const parts = (rest + String(chunk)).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parseLog(parts.join('\n')))
    for (const look of [...waiting]) look()
  })
  const line: RunningAgent['line'] = async matches => await new Promise((resolve, reject) => {
    const look = (): void => {
      const found = lines.find(matches)
      if (found === undefined) return
      waiting.delete(look)
      resolve(found)
    }
    waiting.add(look)
    child.once('close', code => { reject(new Error(`the agent exited with ${code}:\n${lines.map(({ msg }) => msg).join('\n')}`)) })
    look()
  })
  const { port } = await line(({ port }) => port !== undefined)
  const url = `http://127.0.0.1:${String(port)}`
  return {
    url,
    lines,
    line,
    async metric (name) {
      const text = await (await fetch(`${url}/metrics`)).text()
      const found = text.split('\n').find(row => row.startsWith(`${name} `))
      return found === undefined ? undefined : Number(found.slice(name.length + 1))
    },
    async ready () {
      const response = await fetch(`${url}/readyz`)
      return { status: response.status, body: await response.json() as Record<string, unknown> }
    },
    stop
  }
}

/** How a proxy alters a request or an answer. */
export interface Tampering {
  readonly request?: (path: string, headers: IncomingHttpHeaders, body: Buffer) => Buffer
  readonly answer?: (answer: ProxyAnswer, sent: Buffer) => ProxyAnswer | Promise<ProxyAnswer>
}

export interface ProxyAnswer { readonly status: number, readonly headers: Record<string, string>, readonly body: Buffer }

export interface Proxy {
  readonly url: string
  tampering: Tampering
  /** Paths that were asked for, with their method. */
  readonly seen: string[]
}

/** Somebody between an agent and the service. */
export async function startProxy (cleanup: Cleanup, target: string): Promise<Proxy> {
  const proxy: { url: string, tampering: Tampering, seen: string[] } = { url: '', tampering: {}, seen: [] }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => { chunks.push(chunk) })
    request.on('end', () => {
      const { method = 'GET', url = '/', headers } = request
      proxy.seen.push(`${method} ${url}`)
      const sent = Buffer.concat(chunks)
      forward(`${target}${url}`, method, headers, proxy.tampering.request?.(url, headers, sent) ?? sent)
        .then(async answer => url === '/relocate' ? await proxy.tampering.answer?.(answer, sent) ?? answer : answer)
        .then(({ status, headers, body }) => {
          response
            .writeHead(status, headers)
            .end(method === 'HEAD' ? undefined : body)
        }, () => { response.destroy() })
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  cleanup.add(() => { server.closeAllConnections(); server.close() })
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host', 'expect'])

async function forward (url: string, method: string, headers: IncomingHttpHeaders, body: Buffer): Promise<ProxyAnswer> {
  const passed = Object.fromEntries(Object.entries(headers).flatMap(([name, value]) =>
    HOP_BY_HOP.has(name) || typeof value !== 'string' ? [] : [[name, value]]))
  const response = await fetch(url, { method, headers: passed, ...(body.length === 0 ? {} : { body }) })
  const kept = Object.fromEntries([...response.headers].filter(([name]) => !HOP_BY_HOP.has(name)))
  return { status: response.status, headers: kept, body: Buffer.from(await response.arrayBuffer()) }
}

export function temporaryFolder (cleanup: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-agent-'))
  cleanup.add(() => { rmSync(folder, { recursive: true, force: true, maxRetries: 10 }) })
  return folder
}

function stopper (child: ChildProcess): (signal?: NodeJS.Signals) => Promise<number | null> {
  const closed = new Promise<number | null>(resolve => { child.once('close', resolve) })
  return async (signal = 'SIGTERM') => {
    child.kill(signal)
    return await closed
  }
}

function parseLog (text: string): LogLine[] { return text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as LogLine) }
