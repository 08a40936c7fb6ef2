import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TypeSearchJson } from '../../src/wire/types.js'
import { startService, temporaryFolder } from '../unit/service/lab.js'
import { problemOf, startAppWith } from './harness.js'

const FIXTURES = join(import.meta.dirname, '../fixtures/c-types')
const SHAPES = readFileSync(join(FIXTURES, 'shapes.btf'))
const KERNEL = '/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic'
const BTF = `sha256:${createHash('sha256').update(SHAPES).digest('hex')}`

/** The service over a socket, with one kernel. */
async function lab () {
  const { request } = await startAppWith(await startService(await temporaryFolder()))
  const put = await request(`${KERNEL}/btf`, { method: 'PUT', body: SHAPES, headers: { 'content-type': 'application/octet-stream' } })
  expect(put.status).toBe(201)
  return { get: async (path: string, headers: Record<string, string> = {}) => await request(`${KERNEL}${path}`, { headers }) }
}

describe('GET /kernels/…/vmlinux.h', () => {
  it('is the types of that kernel as bpftool prints them', async () => {
    const { get } = await lab()
    const response = await get('/vmlinux.h')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/x-c; charset=utf-8', 'corelo-btf': BTF, 'corelo-source': 'upload'
    })
    const header = await response.text()
    expect(header.replaceAll(/ __attribute__\(\(mode\(\w+\)\)\)/g, '')).toBe(readFileSync(join(FIXTURES, 'shapes.h'), 'utf8'))
    const again = await get('/vmlinux.h', { 'if-none-match': response.headers.get('etag') ?? '' })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  it('is 404 for a kernel that nobody has, and 406 for a form that there is not', async () => {
    const { get } = await lab()
    expect(await problemOf(await get('x/vmlinux.h'))).toMatchObject({ status: 404, code: 'kernel_unknown' })
    expect(await problemOf(await get('/vmlinux.h', { accept: 'application/json' }))).toMatchObject({ status: 406, code: 'not_acceptable' })
  })
})

describe('GET /kernels/…/types', () => {
  it('finds types by the beginning of their names and by a member, page by page', async () => {
    const { get } = await lab()
    const first = await get('/types?name=n&limit=1')
    const page = await first.json() as TypeSearchJson
    expect(page).toMatchObject({
      kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic', btf_sha256: BTF, source: 'upload', types: [{ name: expect.stringMatching(/^n/) }]
    })
    expect(first.headers.get('link')).toBe(`<${KERNEL}/types?name=n&limit=1&cursor=${page.next_cursor}>; rel="next"`)
    const all = await (await get('/types?name=n')).json() as TypeSearchJson
    const second = await (await get(`/types?name=n&limit=1&cursor=${page.next_cursor}`)).json() as TypeSearchJson
    expect([...page.types, ...second.types]).toEqual(all.types.slice(0, 2))
    expect(await (await get('/types?member=next&kind=struct')).json()).toMatchObject({
      types: [{ name: 'list', size: 16, member: { path: 'next', type: 'struct list *', bit_offset: 0 } }], next_cursor: null
    })
    expect(await (await get('/types?name=nobody')).json()).toMatchObject({ types: [], next_cursor: null })
  })

  it('is 400 for a cursor that the service did not give, and for what is no name', async () => {
    const { get } = await lab()
    for (const query of ['cursor=abc', 'name=a-b', 'member=', 'kind=class', 'limit=0', 'x=1']) {
      expect(await problemOf(await get(`/types?${query}`)), query).toMatchObject({ status: 400, code: 'invalid_request' })
    }
    expect(await problemOf(await get('x/types?name=a'))).toMatchObject({ status: 404, code: 'kernel_unknown' })
  })
})

describe('GET /kernels/…/types/{kind}/{name}', () => {
  it('is the type with the places of its members, as JSON and as C', async () => {
    const { get } = await lab()
    expect(await (await get('/types/struct/list')).json()).toEqual({
      kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic',
      btf_sha256: BTF,
      source: 'upload',
      types: [{
        type_id: expect.any(Number),
        kind: 'struct',
        name: 'list',
        size: 16,
        members: [
          { name: 'next', type: 'struct list *', bit_offset: 0, bitfield_size: null, size: 8 },
          { name: 'prev', type: 'struct list *', bit_offset: 64, bitfield_size: null, size: 8 }
        ]
      }]
    })
    const c = await get('/types/struct/list', { accept: 'text/x-c' })
    expect(c.headers.get('content-type')).toBe('text/x-c; charset=utf-8')
    expect(await c.text()).toBe('struct list {\n\tstruct list *next; /* 0 */\n\tstruct list *prev; /* 8 */\n}; /* 16 bytes */\n')
  })

  it('is 404 for what the kernel does not have, with what it has of that name', async () => {
    const { get } = await lab()
    expect(await problemOf(await get('/types/struct/handler_t'))).toMatchObject({
      status: 404, code: 'not_found', detail: 'This kernel has no struct handler_t. It has typedef handler_t.'
    })
    expect(await problemOf(await get('/types/struct/nobody'))).toMatchObject({ detail: 'This kernel has no struct nobody.' })
    expect(await problemOf(await get('/types/class/list'))).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(await problemOf(await get('/types/struct/a-b'))).toMatchObject({ status: 400, code: 'invalid_request' })
  })
})
