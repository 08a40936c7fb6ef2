import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnServer, startService } from '../scripts/service.mjs'

/** Starts the measure: bare Fastify. */
export async function startBare () { return await start('bare-server.mjs') }

/** The same for a held result, which it takes from that address. */
export async function startBareRelocated (address) { return await start('bare-relocated.mjs', address) }

/**
 * Starts the service as an operator does, with its default settings (its log included) but for those given; no request is refused because
 * the machine has much to do.
 */
export async function startMeasured (settings, checkout) {
  return await startService(
    { CORELO_TRUST_UPLOADS: 'true', CORELO_MAX_DELAY_MS: '0', ...settings }, checkout === undefined ? {} : { checkout }
  )
}

/** Uploads BTF of a kernel, or an object. */
export async function putBytes ({ url }, path, body) {
  const answer = await fetch(url + path, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } })
  if (!answer.ok) throw new Error(`PUT ${path} answered ${answer.status}: ${await answer.text()}`)
  await answer.arrayBuffer()
}

async function start (script, ...args) {
  const server = spawnServer([join(import.meta.dirname, script), ...args])
  await server.listening()
  return server
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

/** How long a server's main thread could have run but had no processor, in milliseconds: what other work on the machine costs it. */
export function waitMsOf ({ child }) {
  return Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
}

/** As cpuMsOf, with threads that have ended, in ticks of 10 ms. */
export function cpuMsOfAll ({ child }) {
  const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').slice(11, 13).map(Number)
  return (user + system) * 10
}

export function residentBytes (server) { return statusBytes(server, 'VmRSS') }

/** The most since the process began, or since its counter was cleared. */
export function peakBytes (server) { return statusBytes(server, 'VmHWM') }

function statusBytes ({ child }, name) {
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) * 1024
}
