import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { check } from './check-client.mjs'
import { startMeasured, waitMsOf } from './servers.mjs'
import { median } from './statistics.mjs'

/** Requests a second of the load. */
const RATE = 100
/** Until nearly all code of the service is compiled: at first its p99 is three times what it is later. */
const WARM_SECONDS = 20

/**
 * A steady load, alone and beside checks, of which one always runs. Windows with and without checks take turns, so that what else the
 * machine does is in both; each time is the middle of all windows.
 *
 * @param kind of the load, one of steady-load.mjs
 */
export async function besideLoad (cache, { kernels, kernel, kind, objects, windows, seconds }) {
  const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_LOCAL_KERNEL: 'false' })
  const client = fork(join(import.meta.dirname, 'steady-load.mjs'), [service.url, kind, kernel, objects[0], `${RATE}`])
  await messageOf(client)
  const load = async of => {
    await loopDelayMs(service.url)
    const waited = waitMsOf(service)
    client.send({ requests: of * RATE })
    const times = await messageOf(client)
    times.sort((a, b) => a - b)
    const at = part => times[Math.floor(times.length * part)]
    return { p50: at(0.5), p99: at(0.99), waits: (waitMsOf(service) - waited) / of, delay: await loopDelayMs(service.url) }
  }
  await check(service.url, objects, { serial: 0 })
  await load(Math.min(WARM_SECONDS, 2 * seconds))
  const alone = []
  const beside = []
  let checks = 0
  for (let window = 0; window < windows; window++) {
    alone.push(await load(seconds))
    const checking = fork(join(import.meta.dirname, 'keep-checking.mjs'), [service.url, ...objects])
    await once(checking, 'spawn')
    beside.push(await load(seconds))
    checking.send('stop')
    checks += await messageOf(checking)
    await once(checking, 'exit')
  }
  client.disconnect()
  await once(client, 'exit')
  await service.stop()
  const middle = (runs, name) => median(runs.map(run => run[name]))
  return {
    kernels: `${kind} beside ${kernels}`,
    objects: objects.length,
    'p50 alone': middle(alone, 'p50'),
    'p50 beside': middle(beside, 'p50'),
    'p99 alone': middle(alone, 'p99'),
    'p99 beside': middle(beside, 'p99'),
    ratio: middle(beside, 'p99') / middle(alone, 'p99'),
    'CPU wait ms/s alone': middle(alone, 'waits'),
    'CPU wait ms/s beside': middle(beside, 'waits'),
    'loop p99 alone': middle(alone, 'delay'),
    'loop p99 beside': middle(beside, 'delay'),
    'checks / s': checks / (windows * seconds)
  }
}

/** The next message of a process. Rejects where it ends without one. */
async function messageOf (child) {
  const waiting = new AbortController()
  try {
    const [message] = await Promise.race([
      once(child, 'message', waiting),
      once(child, 'exit', waiting).then(([code]) => { throw new Error(`${child.spawnargs.slice(1).join(' ')} ended with ${code}`) })
    ])
    return message
  } finally {
    waiting.abort() // takes back the listeners
  }
}

/** How late the event loop was since this was asked for last: the 99th part in a hundred, of which 10 ms are the clock's own. */
async function loopDelayMs (address) {
  const text = await (await fetch(`${address}/metrics`)).text()
  return 1000 * Number(/^nodejs_eventloop_lag_p99_seconds (.*)$/m.exec(text)?.[1])
}
