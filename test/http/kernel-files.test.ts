import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { EXEC } from '../cli/corelo.js'
import { bzImage } from '../support/bz-image.js'
import { packed } from '../unit/formats/packed.js'
import { startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startAppWith } from './harness.js'

const PATH = '/kernels/debian/12/x86_64/6.1.0-50-amd64/btf'
const BTF = packed('vmlinux.btf')
const FILES: ReadonlyArray<readonly [what: string, bytes: Uint8Array]> = [
  ...['xz', 'zstd', 'gzip', 'lz4', 'none'].map(packing =>
    [`a .deb whose data is packed by ${packing}`, packed(`linux-image.${packing}.deb`)] as const),
  ...['vmlinux.gz', 'vmlinux.zst', 'vmlinux.lz4', 'vmlinux.x86.xz'].map(name =>
    [`a vmlinuz around ${name}`, bzImage(packed(name))] as const),
  ['a vmlinux', packed('vmlinux')]
]

/** The service over a socket. `put` is answered with the hash of what the file had. */
async function lab () {
  const { request } = await startAppWith(await startService(await temporaryFolder(), { trustUploads: false }))
  const put = async (path: string, body: Uint8Array) =>
    await request(path, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } })
  return { request, put }
}

describe("a kernel's file", () => {
  it.each(FILES)('which is %s may be PUT under its name', async (_what, file) => {
    const { request, put } = await lab()
    const created = await put(PATH, file)
    expect([created.status, created.headers.get('corelo-btf')]).toEqual([201, sha256(BTF)])
    expect((await put(PATH, BTF)).status).toBe(200)
    expect(new Uint8Array(await (await request(PATH)).arrayBuffer())).toEqual(BTF)
  })

  it.each(FILES)('which is %s may be the btf part of a request', async (_what, file) => {
    const { request } = await lab()
    const object = readFileSync(EXEC)
    const relocated = async (btf: Uint8Array) => {
      const answer = await request('/relocate', { method: 'POST', body: form({ object, btf }) })
      expect([answer.status, answer.headers.get('corelo-btf')]).toEqual([200, sha256(BTF)])
      return Buffer.from(await answer.arrayBuffer())
    }
    expect((await relocated(file)).equals(await relocated(BTF))).toBe(true)
  })

  it('of a package brings the modules in it', async () => {
    const { request, put } = await lab()
    expect((await put(PATH, packed('linux-image.xz.deb'))).status).toBe(201)
    expect(new Uint8Array(await (await request(`${PATH}/snd_demo`)).arrayBuffer())).toEqual(packed('snd-demo.btf'))
  })

  it.each([FILES[0], FILES[5], FILES.at(-1)].filter(file =>
    file !== undefined))('which is %s is refused under the name of another kernel than it says', async (_what, file) => {
    const { request, put } = await lab()
    const other = PATH.replace('-50-', '-49-')
    expect(await problemOf(await put(other, file))).toMatchObject({
      status: 422, code: 'btf_invalid', detail: expect.stringContaining('is of kernel 6.1.0-50-amd64, and not of 6.1.0-49-amd64')
    })
    expect((await request(other)).status).toBe(404)
  })
})
