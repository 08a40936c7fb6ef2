// Starts the built service in a process of its own: for tests, benches and scripts.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = join(import.meta.dirname, '..')
const ADDRESS = /http:\/\/[0-9.]+:[0-9]+/
const LOOK_MS = 20
/** Only a hang takes so long, also on a machine that is ten times slower. */
const START_MS = 120_000
/** Characters of its output that are kept, from the start: a bench logs a line for each of many thousand requests. */
const KEPT_OUTPUT = 1_000_000

/** On loopback, on a free port, without an archive to ask. */
const SETTINGS = { CORELO_HOST: '127.0.0.1', CORELO_PORT: '0', CORELO_BTFHUB_URL: '' }
/** For tests: one worker, no kernel but those that it is given, and no request refused because the machine has much to do. */
export const TEST_SETTINGS = { ...SETTINGS, CORELO_LOCAL_KERNEL: 'false', CORELO_WORKERS: '1', CORELO_MAX_DELAY_MS: '0' }

/** Starts the service with these settings, and resolves once it is ready. */
export async function startService (settings, options = {}) {
  const service = spawnService(settings, options)
  await service.ready()
  return service
}

/** The same without waiting. What this process has of settings (CORELO_*) is not passed on. */
export function spawnService (settings, { checkout = ROOT, ...options } = {}) {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CORELO_')))
  const env = { ...inherited, ...SETTINGS, ...settings }
  return spawnServer([join(checkout, 'bin', 'corelo.js'), 'serve'], { ...options, env, port: Number(env.CORELO_PORT) })
}

/** Any server: a script of Node that prints its address, unless its port is known. */
export function spawnServer (script, { env = process.env, port = 0, stdout = 'pipe', stderr = 'inherit', execArgv = [], openFiles } = {}) {
  const command = openFiles === undefined ? [] : ['/bin/sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`]
  const [file, ...args] = [...command, process.execPath, ...execArgv, ...script]
  const child = spawn(file, args, { env, stdio: ['ignore', stdout, stderr] })
  let ended
  const exited = new Promise(resolve => { child.once('close', (code, signal) => { ended = code ?? signal; resolve(code) }) })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', chunk => { if (output.length < KEPT_OUTPUT) output += chunk })
  }
  const until = async isSo => {
    const limit = performance.now() + START_MS
    while (!await isSo()) {
      if (ended !== undefined) throw new Error(`${script.join(' ')} ended with ${ended}:\n${output}`)
      if (performance.now() > limit) throw new Error(`${script.join(' ')} is not there after ${START_MS / 1000} s:\n${output}`)
      await sleep(LOOK_MS)
    }
  }
  const addressOf = () => port > 0 ? `http://127.0.0.1:${port}` : ADDRESS.exec(output)?.[0]
  const server = {
    child,
    exited,
    output: () => output,
    get url () {
      const url = addressOf()
      if (url === undefined) throw new Error('It does not listen yet.')
      return url
    },
    async listening () { await until(() => addressOf() !== undefined) },
    async ready () {
      await server.listening()
      await until(async () => await fetch(`${server.url}/readyz`).then(({ status }) => status === 200, () => false))
    },
    async stop (signal = 'SIGINT') {
      child.kill(signal)
      return await exited
    }
  }
  return server
}
