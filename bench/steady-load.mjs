import { readFileSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { constants, setPriority } from 'node:os'
import { anew } from './check-client.mjs'

/**
 * A steady load, as a process of its own, of a priority as high as it may have: callers have another machine, and what this one does must
 * not keep them from seeing an answer. For each message `{ requests }` it asks so many times, and sends back how many milliseconds each
 * took, from the moment at which it was sent: timers here are late by up to a millisecond, which is no fault of the service.
 */
try {
  setPriority(constants.priority.PRIORITY_HIGHEST)
} catch {
  // only root may
}
const [address, kind, kernel, file, perSecond] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: 32 })
const object = readFileSync(file)
const relocate = `${address}/relocate?kernel_release=${kernel}`
let serial = 0

/** What is asked each time. A new object has to be relocated by a worker; the result of a held one is there. */
const KINDS = {
  'POST of a new object': () => post(anew(object, serial++)),
  'POST of a held object': () => post(object),
  'GET of a held result': () => ask(held, { method: 'GET' })
}
const first = await post(object)
const held = address + first.headers['content-location']

process.on('message', async ({ requests }) => { process.send(await load(requests)) })
process.on('disconnect', () => { agent.destroy() })
process.send('ready')

async function load (requests) {
  const times = []
  const pending = []
  const started = performance.now()
  for (let i = 0; i < requests; i++) {
    const wait = started + i * 1000 / perSecond - performance.now()
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait))
    const sent = performance.now()
    pending.push(KINDS[kind]().then(() => { times.push(performance.now() - sent) }))
  }
  await Promise.all(pending)
  return times
}

function post (body) {
  return ask(relocate, { method: 'POST', headers: { 'content-type': 'application/octet-stream', 'content-length': body.length } }, body)
}

function ask (to, options, body) {
  return new Promise((resolve, reject) => {
    const call = httpRequest(to, { agent, ...options }, response => {
      response.resume()
      response.on('end', () =>
        response.statusCode === 200 ? resolve(response) : reject(new Error(`${options.method} ${to} answered ${response.statusCode}`)))
    })
    call.on('error', reject)
    call.end(body)
  })
}
