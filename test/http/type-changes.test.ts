import { describe, expect, it } from 'vitest'
import type { HistoryRange, TypeHistoryJson, TypesDiffJson } from '../../src/wire/types.js'
import { shapes, TASKS, withSerial } from '../support/task-btfs.js'
import { startService, temporaryFolder } from '../unit/service/lab.js'
import { problemOf, startAppWith } from './harness.js'

type Settings = Parameters<typeof startService>[1]

/** The service over a socket, with these kernels. */
async function lab (kernels: Readonly<Record<string, Uint8Array>>, settings: Settings = {}) {
  const { request } = await startAppWith(await startService(await temporaryFolder(), settings))
  for (const [reference, body] of Object.entries(kernels)) {
    const put = await request(`/kernels/${reference}/btf`, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } })
    expect(put.status).toBe(201)
  }
  return {
    request,
    diff: async (query: string) => await (await request(`/types/diff?${query}`)).json() as TypesDiffJson,
    history: async (query: string) => await (await request(`/types/history?${query}`)).json() as TypeHistoryJson
  }
}

const DEBIAN = 'debian/11/x86_64'
const KERNELS = {
  [`${DEBIAN}/5.10.0-8-amd64`]: withSerial(TASKS.old(), 8),
  [`${DEBIAN}/5.10.0-10-amd64`]: withSerial(TASKS.old(), 10),
  [`${DEBIAN}/5.10.0-10-cloud-amd64`]: withSerial(TASKS.without(), 10),
  [`${DEBIAN}/5.10.0-21-amd64`]: withSerial(TASKS.moved(), 21),
  'debian/12/x86_64/6.1.0-9-amd64': withSerial(TASKS.renamed(), 9),
  'debian/12/x86_64/6.1.0-18-amd64': withSerial(TASKS.renamed(), 18)
}
const line = ({ distro, distro_version: version, flavour, first, last, kernels, state, places }: HistoryRange): string =>
  `${distro} ${version} ${flavour}: ${first} to ${last} (${kernels}) ` +
    `${places.map(({ path, bit_offset: offset }) => `${path} ${offset}`).join() || state}`

describe('GET /types/diff', () => {
  it('tells how a type differs between two kernels, whole references or releases', async () => {
    const { diff } = await lab(KERNELS)
    const answer = await diff('from=5.10.0-21-amd64&to=debian/12/x86_64/6.1.0-9-amd64&type=struct+task_struct')
    expect(answer).toMatchObject({
      type: 'struct task_struct',
      from: { kernel: '5.10.0-21-amd64', source: 'upload', btf_sha256: expect.stringMatching(/^sha256:/) },
      to: { kernel: 'debian/12/x86_64/6.1.0-9-amd64' },
      is_same: false,
      types: [{ change: 'changed', from: { size: 64 }, to: { size: 64 } }]
    })
    expect(answer.types[0]?.members?.[1]).toEqual({
      changes: ['renamed', 'resized', 'retyped'],
      from: { path: 'state', type: 'volatile long int', bit_offset: 192, bit_size: 64, is_bitfield: false },
      to: { path: '__state', type: 'unsigned int', bit_offset: 192, bit_size: 32, is_bitfield: false }
    })
    expect(await diff('from=6.1.0-9-amd64&to=6.1.0-18-amd64&type=struct%20task_struct')).toMatchObject({
      is_same: true, types: [{ change: 'same' }]
    })
  })

  it('is not sent again to who has it', async () => {
    const { request } = await lab(KERNELS)
    const path = '/types/diff?from=6.1.0-9-amd64&to=6.1.0-18-amd64&type=struct+task_struct'
    const etag = (await request(path)).headers.get('etag') ?? ''
    expect((await request(path, { headers: { 'if-none-match': etag } })).status).toBe(304)
    const other = await request(path.replace('6.1.0-18', '5.10.0-8'), { headers: { 'if-none-match': etag } })
    expect(other.status).toBe(200)
  })

  it('is 404 for a type that neither has, 404 and 409 for a kernel that is not clear, and 400 for what is no question', async () => {
    const { request } = await lab({ ...KERNELS, 'ubuntu/20.04/x86_64/6.1.0-9-amd64': TASKS.old().bytes() })
    const problem = async (query: string) => await problemOf(await request(`/types/diff?${query}`))
    const task = 'type=struct+task_struct'
    expect(await problem('from=5.10.0-8-amd64&to=5.10.0-10-amd64&type=struct+nobody'))
      .toMatchObject({ status: 404, code: 'not_found', detail: 'Neither kernel has a type struct nobody.' })
    expect(await problem('from=5.10.0-8-amd64&to=5.10.0-10-amd64&type=task_struct'))
      .toMatchObject({ detail: 'Neither kernel has a type task_struct. There is struct task_struct.' })
    expect(await problem(`from=5.10.0-8-amd64&to=9.9.9&${task}`)).toMatchObject({ status: 404, code: 'kernel_unknown' })
    expect(await problem(`from=5.10.0-8-amd64&to=6.1.0-9-amd64&${task}`)).toMatchObject({ status: 409, code: 'kernel_ambiguous' })
    expect(await problem(`from=5.10.0-8-amd64&${task}`)).toMatchObject({
      status: 400, detail: 'The query parameter to is missing.', field: 'to'
    })
    expect(await problem(`from=a/b&to=5.10.0-8-amd64&${task}`)).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(await problem('from=5.10.0-8-amd64&to=5.10.0-8-amd64&type=class+x')).toMatchObject({
      status: 400,
      detail: 'The query parameter type must be a type as C writes it: `struct task_struct`, `enum pid_type`, or the name of a typedef.'
    })
    expect(await problem(`from=5.10.0-8-amd64&to=5.10.0-8-amd64&${task}&member=state`)).toMatchObject({ status: 400 })
    expect(await problem(`from=5.10.0-8-amd64&from=5.10.0-8-amd64&to=5.10.0-8-amd64&${task}`)).toMatchObject({ status: 400 })
  })
})

describe('GET /types/history', () => {
  it('tells in which releases a member was where, in their order, under its later name too', async () => {
    const { history } = await lab(KERNELS)
    const answer = await history('type=struct+task_struct&member=state')
    expect(answer).toMatchObject({ type: 'struct task_struct', member: 'state', kernels: 6, left_out: [] })
    expect(answer.ranges.map(line)).toEqual([
      'debian 11 amd64: 5.10.0-8-amd64 to 5.10.0-10-amd64 (2) state 128',
      'debian 11 amd64: 5.10.0-21-amd64 to 5.10.0-21-amd64 (1) state 192',
      'debian 11 cloud-amd64: 5.10.0-10-cloud-amd64 to 5.10.0-10-cloud-amd64 (1) missing',
      'debian 12 amd64: 6.1.0-9-amd64 to 6.1.0-18-amd64 (2) __state 192'
    ])
    expect(answer.ranges[3]?.places).toEqual([
      { path: '__state', type: 'unsigned int', bit_offset: 192, bit_size: 32, is_bitfield: false, found: 'renamed', value: null }
    ])
  })

  it('is about the kernels that patterns mean, and about the whole type where no member is named', async () => {
    const { history } = await lab({ ...KERNELS, 'fedora/43/x86_64/6.17.1-300.fc43.x86_64': shapes(true) })
    expect((await history('type=struct+task_struct&kernels=debian/12/*/*,5.10.0-8-amd64')).ranges.map(line)).toEqual([
      'debian 11 amd64: 5.10.0-8-amd64 to 5.10.0-8-amd64 (1)  0', 'debian 12 amd64: 6.1.0-9-amd64 to 6.1.0-18-amd64 (2)  0'
    ])
    const both = await history('type=struct+task_struct&member=pid&kernels=fedora/*/*/*,debian/12/*/*')
    expect(both.ranges.map(({ state }) => state)).toEqual(['present', 'type_missing'])
    expect((await history('type=enum+color&member=GREEN')).ranges.at(-1)?.places).toMatchObject([{ path: 'GREEN', value: '3' }])
  })

  it('says which kernels it does not speak of, and why', async () => {
    const several = { ...KERNELS, 'ubuntu/20.04/x86_64/5.4.0-1-generic': TASKS.old().bytes() }
    const { request, history } = await lab(several, { histories: { reads: 1 } })
    await request('/kernels/ubuntu/20.04/x86_64/5.4.0-1-generic/btf', {
      method: 'PUT', body: TASKS.moved().bytes(), headers: { 'content-type': 'application/octet-stream' }
    })
    const answer = await history('type=struct+task_struct&member=state&kernels=*,nobody/*/*/*')
    expect(answer.kernels).toBe(7)
    expect(answer.left_out).toContainEqual({
      reason: 'BTFs that differ are held for this name.', kernels: 1, examples: ['ubuntu/20.04/x86_64/5.4.0-1-generic']
    })
    expect(answer.left_out).toContainEqual({ reason: 'No kernel that is held matches nobody/*/*/*.', kernels: 0, examples: [] })
    const told = answer.ranges.reduce((sum, { kernels }) => sum + kernels, 0)
    const unread = answer.left_out.find(({ reason }) => reason.startsWith('The BTF was not read: at most 1 are read'))
    expect(told + (unread?.kernels ?? 0) + 1).toBe(7)
  })

  it('is 404 where no kernel is held, or none has the type, and 400 for what is no question', async () => {
    const { request } = await lab(KERNELS)
    const problem = async (query: string) => await problemOf(await request(`/types/history?${query}`))
    expect(await problem('type=struct+task_struct&kernels=fedora/*/*/*')).toMatchObject({
      status: 404, code: 'kernel_unknown', detail: 'No kernel that is held matches fedora/*/*/*.'
    })
    expect(await problem('type=struct+nobody&member=x')).toMatchObject({
      status: 404, code: 'not_found', detail: 'None of the 6 kernels has a struct nobody.'
    })
    expect(await problem('type=task_struct')).toMatchObject({
      status: 404, detail: expect.stringContaining('of a struct it is written struct task_struct.')
    })
    expect(await problem('type=struct+task_struct&member=a->b')).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(await problem('type=struct+task_struct&kernels=a/b')).toMatchObject({
      status: 400, code: 'invalid_request', detail: expect.stringContaining('"a/b" is no pattern of kernels')
    })
    expect(await problem('member=state')).toMatchObject({ status: 400, detail: 'The query parameter type is missing.' })
    expect(await problem(`type=pid_t&kernels=${Array.from({ length: 101 }, (_, i) => `${i}`).join()}`)).toMatchObject({
      status: 413, code: 'too_large'
    })
  })

  it('is without uploads where these answer only for their hash', async () => {
    const { request } = await lab({ [`${DEBIAN}/5.10.0-8-amd64`]: TASKS.old().bytes() }, { trustUploads: false })
    const answer = await (await request('/types/history?type=struct+task_struct')).json() as TypeHistoryJson
    expect([answer.ranges, answer.left_out.map(({ kernels }) => kernels)]).toEqual([[], [1]])
  })
})
