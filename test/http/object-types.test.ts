import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startService, temporaryFolder } from '../unit/service/lab.js'
import { problemOf, startAppWith } from './harness.js'

/** Its source, examples/unguarded.bpf.c, declares `struct task_struct { volatile long state; }`. */
const OBJECT = readFileSync(join(import.meta.dirname, '../../examples/unguarded.bpf.o'))
const HASH = `sha256:${createHash('sha256').update(OBJECT).digest('hex')}`

/** The service over a socket, with one object. */
async function lab () {
  const { request } = await startAppWith(await startService(await temporaryFolder()))
  const put = await request(`/objects/${HASH}`, { method: 'PUT', body: OBJECT, headers: { 'content-type': 'application/octet-stream' } })
  expect(put.status).toBe(201)
  return async (path: string, headers: Record<string, string> = {}) => await request(`/objects/${path}`, { headers })
}

describe('GET /objects/{hash}/types/{kind}/{name}', () => {
  it('is the type that the program was compiled with, as JSON and as C', async () => {
    const get = await lab()
    const response = await get(`${HASH}/types/struct/task_struct`)
    expect([response.headers.get('content-type'), response.headers.get('corelo-object')]).toEqual(['application/json', HASH])
    expect(await response.json()).toEqual({
      object: HASH,
      types: [{
        type_id: expect.any(Number),
        kind: 'struct',
        name: 'task_struct',
        size: 8,
        members: [{ name: 'state', type: 'volatile long', bit_offset: 0, bitfield_size: null, size: 8 }]
      }]
    })
    const c = await get(`${HASH}/types/struct/task_struct`, { accept: 'text/x-c' })
    expect(c.headers.get('content-type')).toBe('text/x-c; charset=utf-8')
    expect(await c.text()).toBe('struct task_struct {\n\tvolatile long state; /* 0 */\n}; /* 8 bytes */\n')
  })

  it('is asked for again by its tag', async () => {
    const get = await lab()
    const { headers } = await get(`${HASH}/types/struct/task_struct`)
    const again = await get(`${HASH}/types/struct/task_struct`, { 'if-none-match': headers.get('etag') ?? '' })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  it('is 404 for a type that the program has not, and for an object that nobody has sent', async () => {
    const get = await lab()
    expect(await problemOf(await get(`${HASH}/types/union/task_struct`)))
      .toMatchObject({ status: 404, code: 'not_found', detail: 'This object has no union task_struct. It has struct task_struct.' })
    expect(await problemOf(await get(`sha256:${'0'.repeat(64)}/types/struct/task_struct`))).toMatchObject({
      status: 404, code: 'object_unknown'
    })
  })

  it('is refused for what is no kind, no name or no hash', async () => {
    const get = await lab()
    for (const path of [
      `${HASH}/types/function/f`, `${HASH}/types/struct/a%20b`, 'sha256:1/types/struct/a', `${HASH}/types/struct/a?form=c`
    ]) {
      expect(await problemOf(await get(path)), path).toMatchObject({ status: 400, code: 'invalid_request' })
    }
  })
})
