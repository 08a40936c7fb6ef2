import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Starts the measure: bare Fastify. */
export async function startBare () { return await start([join(import.meta.dirname, 'bare-server.mjs')], {}) }

/** The same for a held result, which it takes from that address. */
export async function startBareRelocated (address) { return await start([join(import.meta.dirname, 'bare-relocated.mjs'), address], {}) }

/** Starts the service as an operator does, with its default settings (its log included) but for those given; that of another checkout where one is named. */
export async function startService (settings, checkout = join(import.meta.dirname, '..')) {
  return await start([join(checkout, 'dist', 'cli', 'main.js'), 'serve'], { CORELO_PORT: '0', CORELO_BTFHUB_URL: '', CORELO_TRUST_UPLOADS: 'true', ...settings })
}

async function start (args, env) {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  const address = await new Promise((resolve, reject) => {
    let output = ''
    child.stdout.on('data', data => {
      if (output === undefined) return
      output += data
      const found = /http:\/\/[0-9.]+:[0-9]+/.exec(output)
      if (found === null) return
      output = undefined
      resolve(found[0])
    })
    child.on('exit', code => reject(new Error(`${args.join(' ')} ended with ${code}`)))
  })
  return { child, address }
}

export async function stopServer ({ child }) {
  const ended = new Promise(resolve => child.on('exit', resolve))
  child.kill('SIGINT')
  await ended
}

/**
 * User and system time of a server, in milliseconds: of all the threads that it has now, as the scheduler counts it. The times
 * in /proc/PID/stat are sampled at each tick, which short work between two ticks may miss or meet every time.
 */
export function cpuMsOf ({ child }) {
  return readdirSync(`/proc/${child.pid}/task`).reduce((sum, thread) => sum + threadMs(`/proc/${child.pid}/task/${thread}/schedstat`), 0)
}

/** A thread that has ended since it was listed counts as nothing. */
function threadMs (path) {
  try {
    return Number(readFileSync(path, 'utf8').split(' ')[0]) / 1e6
  } catch {
    return 0
  }
}
