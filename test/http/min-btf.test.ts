import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { applyPatches, parseBtf, relocate } from '../../src/index.js'
import { btf } from '../support/btf-builder.js'
import { fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startAppWith } from './harness.js'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const EXEC = readFileSync(join(EXAMPLES, 'exec.bpf.o'))
const SAMPLE = readFileSync(join(EXAMPLES, 'kernels/sample.btf'))
const UBUNTU = 'ubuntu/20.04/x86_64/5.4.0-42-generic'

const hashOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** The object as it is for a BTF. */
function relocated (object: Uint8Array, bytes: Uint8Array): Uint8Array {
  const { patches } = relocate(object, parseBtf(bytes))
  return patches === undefined ? expect.fail('the object was not relocated') : applyPatches(object, patches)
}

/** The service over a socket, with two kernels. */
async function lab () {
  const { request } = await startAppWith(await startService(await temporaryFolder()))
  const supply = async (path: string, body: Uint8Array) => {
    const response = await request(path, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } })
    expect(response.status).toBe(201)
  }
  await supply(`/kernels/${UBUNTU}/btf`, SAMPLE)
  await supply('/kernels/debian/12/x86_64/6.1.0-50-amd64/btf', fooBtf())
  const minimise = async (parts: Parameters<typeof form>[0], headers: Record<string, string> = {}) =>
    await request('/min-btf', { method: 'POST', body: form(parts), headers })
  return { request, supply, minimise }
}

const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer())

describe('POST /min-btf', () => {
  it('answers with a small BTF, against which the object relocates to the same bytes', async () => {
    const { minimise } = await lab()
    const response = await minimise({ object: EXEC, kernel_release: UBUNTU })
    expect(response.status, await response.clone().text()).toBe(200)
    const bytes = await bytesOf(response)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      etag: `"${hashOf(bytes)}"`,
      'corelo-btf': hashOf(SAMPLE),
      'corelo-kernel': UBUNTU
    })
    expect(bytes.length).toBeLessThan(SAMPLE.length / 2)
    expect(relocated(EXEC, bytes)).toEqual(relocated(EXEC, SAMPLE))
  })

  it('takes several objects, by their bytes and by their hash, each once', async () => {
    const { minimise, supply } = await lab()
    await supply(`/objects/${hashOf(EXEC)}`, EXEC)
    const kernel = { kernel_release: '6.1.0-50-amd64' }
    const foo = fooObject()
    const one = await bytesOf(await minimise({ object: foo, ...kernel }))
    const both = await bytesOf(await minimise({ object: [foo, hashOf(EXEC), foo], ...kernel }))
    expect(relocated(foo, both)).toEqual(relocated(foo, fooBtf()))
    expect(both).toEqual(one) // exec.bpf.o finds nothing of its own in that kernel
  })

  it('takes the BTF that the request brings, and keeps nothing of it', async () => {
    const { minimise, request } = await lab()
    const brought = fooBtf(7)
    const response = await minimise({ object: fooObject(), btf: brought })
    expect(response.status).toBe(200)
    expect(response.headers.get('corelo-kernel')).toBeNull()
    expect((await request(`/btf/${hashOf(brought)}`)).status).toBe(404)
  })

  it('says that nothing changed to who has the answer', async () => {
    const { minimise } = await lab()
    const first = await minimise({ object: EXEC, kernel_release: UBUNTU })
    const again = await minimise({ object: EXEC, kernel_release: UBUNTU }, { 'if-none-match': first.headers.get('etag') ?? '' })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  it('refuses what it cannot read, with the part named', async () => {
    const { minimise, request } = await lab()
    const rows: Array<readonly [Parameters<typeof form>[0], number, string, RegExp]> = [
      [{ kernel_release: UBUNTU }, 400, 'invalid_request', /has no object/],
      [{ object: EXEC }, 400, 'invalid_request', /names no kernel/],
      [{ object: 'exec.bpf.o', kernel_release: UBUNTU }, 400, 'invalid_request', /must be a file/],
      [{ object: `sha256:${'0'.repeat(64)}`, kernel_release: UBUNTU }, 404, 'object_unknown', /does not hold object/],
      [{ object: new Uint8Array([1, 2, 3]), kernel_release: UBUNTU }, 422, 'object_invalid', /ELF/],
      [{ object: EXEC, kernel_release: '9.9.9' }, 404, 'kernel_unknown', /9\.9\.9/],
      [{ object: EXEC, kernel_release: UBUNTU, assume: 'x=1' }, 400, 'invalid_request', /no part "assume"/]
    ]
    for (const [parts, status, code, detail] of rows) {
      const problem = await problemOf(await minimise(parts))
      expect(problem).toMatchObject({ status, code, detail: expect.stringMatching(detail) })
    }
    const raw = await request('/min-btf', { method: 'POST', body: EXEC, headers: { 'content-type': 'application/x-elf' } })
    expect(await problemOf(raw)).toMatchObject({ status: 415, code: 'unsupported_media_type' })
  })

  it('names every object that the service does not hold', async () => {
    const { minimise } = await lab()
    const absent = ['a', 'b'].map(text => hashOf(Buffer.from(text)))
    expect(await problemOf(await minimise({ object: [...absent, EXEC], kernel_release: UBUNTU }))).toMatchObject({
      status: 404, code: 'object_unknown', objects: absent.map(hash => ({ object_sha256: hash }))
    })
  })

  it('is refused where libbpf would refuse an object for that kernel, with its hash', async () => {
    const { minimise } = await lab()
    const twice = btf()
    const int = twice.int('int', 4, { signed: true })
    for (const bits of [0, 32]) twice.struct('foo', 8, [{ name: 'x', type: int, bits: 32 - bits }, { name: 'y', type: int, bits }])
    const foo = fooObject()
    const problem = await problemOf(await minimise({ object: foo, btf: twice.bytes() }))
    expect(problem).toMatchObject({
      status: 422, code: 'relocation_failed', detail: expect.stringContaining(`Object ${hashOf(foo)} cannot be relocated`)
    })
  })
})
