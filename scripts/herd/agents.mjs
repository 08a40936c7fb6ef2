// A node's agent as the service sees it: the requests that it makes when it starts, and how it waits when it is told to.
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'

/** How often an agent asks for one object before it gives up until its next round. */
const ATTEMPTS = 30
const DEFAULT_WAIT_S = 1

export function hashOf (bytes) { return `sha256:${createHash('sha256').update(bytes).digest('hex')}` }

/**
 * Runs agents, each of which wants every object for its kernel.
 *
 * @param {object} options
 * @param {readonly string[]} options.services addresses of the replicas; an agent keeps to one, as behind a Service
 * @param {number} options.connections to each replica: what an ingress, or a node's proxy, would hold open
 * @returns what the agents saw
 */
export async function runAgents ({ services, agents, seconds, objects, kernels, connections }) {
  const pools = services.map(url => new Pool(url, { connections, pipelining: 1 }))
  const seen = { statuses: new Map(), latencies: [], results: new Map(), failures: [], uploads: 0, waits: 0 }
  const note = (status, ms) => {
    seen.statuses.set(status, (seen.statuses.get(status) ?? 0) + 1)
    seen.latencies.push(ms)
  }

  const ask = async (pool, options) => {
    const started = performance.now()
    const answer = await pool.request(options)
    const body = Buffer.from(await answer.body.arrayBuffer())
    note(answer.statusCode, performance.now() - started)
    return { status: answer.statusCode, headers: answer.headers, body }
  }

  const wantObject = async (pool, object, kernel) => {
    const boundary = randomUUID()
    const form = Object.entries({ object: object.hash, kernel_release: kernel })
      .map(([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
      .concat(`--${boundary}--\r\n`)
      .join('')
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await ask(
        pool, { method: 'POST', path: '/relocate', body: form, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } }
      )
      if (answer.status === 200) {
        checkDigest(answer)
        return answer.headers['corelo-btf'] + ' ' + answer.headers.etag
      }
      const problem = JSON.parse(answer.body.toString())
      if (problem.code === 'object_unknown') {
        seen.uploads++
        await ask(
          pool,
          { method: 'PUT', path: `/objects/${object.hash}`, body: object.bytes, headers: { 'content-type': 'application/octet-stream' } }
        )
      } else if (answer.status === 503 || answer.status === 429) {
        if (answer.headers['retry-after'] === undefined) seen.failures.push(`${answer.status} without Retry-After: ${problem.detail}`)
        seen.waits++
        await sleep(Number(answer.headers['retry-after'] ?? DEFAULT_WAIT_S) * 1000 * (0.5 + Math.random()))
      } else {
        seen.failures.push(`${answer.status} ${problem.code}: ${problem.detail}`)
        return undefined
      }
    }
    seen.failures.push(`no answer for ${object.name} on ${kernel} in ${ATTEMPTS} attempts`)
    return undefined
  }

  const runAgent = async number => {
    await sleep(Math.random() * seconds * 1000)
    const pool = pools[number % pools.length]
    const kernel = kernels[number % kernels.length]
    for (const object of objects) {
      const result = await wantObject(pool, object, kernel)
      if (result === undefined) continue
      const key = `${object.name} ${kernel}`
      const known = seen.results.get(key) ?? result
      if (known !== result) seen.failures.push(`${key}: two different results`)
      seen.results.set(key, known)
    }
  }

  const started = performance.now()
  await Promise.all(Array.from({ length: agents }, (_, number) => runAgent(number).catch(error => { seen.failures.push(String(error)) })))
  const took = (performance.now() - started) / 1000
  await Promise.all(pools.map(pool => pool.close()))
  return { ...seen, seconds: took }
}

function checkDigest ({ headers, body }) {
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
  if (headers['content-digest'] !== digest) throw new Error(`the answer's digest is ${headers['content-digest']}, its bytes have ${digest}`)
}
