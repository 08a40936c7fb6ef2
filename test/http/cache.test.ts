import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorCode } from '../../src/store/error-code.js'
import { sha256 } from '../../src/store/sha256.js'
import { mountRefusal, smallDisk } from '../support/tmpfs.js'
import { contentPath, fooBtf, fooObject, offsetOfY, startService, temporaryFolder, UBUNTU } from '../unit/service/lab.js'
import { form, startAppWith, type Harness } from './harness.js'

type Request = Harness['request']

const kernelPath = (release: string): string => `/kernels/ubuntu/20.04/x86_64/${release}`

async function putBtf (request: Request, release: string, btf: Uint8Array): Promise<Response> {
  return await request(`${kernelPath(release)}/btf`, { method: 'PUT', body: btf })
}
async function relocate (request: Request, release: string, object: Uint8Array | string = fooObject()): Promise<Response> {
  return await request('/relocate', { method: 'POST', body: form({ object, kernel_release: release }) })
}
async function metric (request: Request, line: RegExp): Promise<number> {
  const text = await (await request('/metrics')).text()
  return Number(line.exec(text)?.[1] ?? NaN)
}
const DISK_DEGRADED = /^corelo_degraded\{why="disk"\} (\d)$/m

async function bytesOf (response: Response): Promise<Uint8Array> { return new Uint8Array(await response.arrayBuffer()) }

/** Takes all the room there is, as the log of another program may. */
async function fillUp (folder: string): Promise<string> {
  const { bavail, bsize } = await statfs(folder)
  const filler = join(folder, 'somebody-elses')
  await writeFile(filler, new Uint8Array(bavail * bsize)).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOSPC') throw error // the service wrote meanwhile
  })
  return filler
}

describe.skipIf(mountRefusal !== undefined)(`a full disk${mountRefusal === undefined ? '' : ` (left out: ${mountRefusal})`}`, () => {
  it('costs nobody an answer, is told in a metric, and what was not stored is stored when there is room', async () => {
    const folder = smallDisk('16m')
    const service = await startService(folder, { diskRetryMs: 100 })
    const { request } = await startAppWith(service)
    expect((await putBtf(request, '5.1', fooBtf(1))).status).toBe(201)
    expect(await metric(request, DISK_DEGRADED)).toBe(0)
    const filler = await fillUp(folder)
    const statuses: number[] = []
    for (let i = 2; i < 12; i++) {
      statuses.push((await putBtf(request, `5.${i}`, fooBtf(i))).status)
      const answer = await relocate(request, `5.${i}`, fooObject(i))
      statuses.push(answer.status)
      expect(offsetOfY({ bytes: await bytesOf(answer) })).toBe(12)
      statuses.push((await request(`/objects/${sha256(fooObject(i + 100))}`, { method: 'PUT', body: fooObject(i + 100) })).status)
    }
    expect([...new Set(statuses)].sort()).toEqual([200, 201])
    expect((await request('/readyz')).status).toBe(200)
    expect(await metric(request, DISK_DEGRADED)).toBe(1)
    expect(service.warnings.filter(warning => warning.includes('disk is full'))).toHaveLength(1)
    await rm(filler)
    await expect.poll(() => metric(request, DISK_DEGRADED)).toBe(0)
    await expect
      .poll(async () => await readFile(contentPath(folder, 'btf', sha256(fooBtf(5)))).catch(() => undefined))
      .toEqual(Buffer.from(fooBtf(5)))
    await service.close()
    const after = await startAppWith(await startService(folder))
    for (const i of [1, 2, 11]) expect((await relocate(after.request, `5.${i}`)).status).toBe(200)
  })
})

describe('a flipped byte', () => {
  it('in BTF is never used; it is loaded again from where it came', async () => {
    const folder = await temporaryFolder()
    const kernelBtfDir = join(await temporaryFolder(), 'btf')
    await mkdir(kernelBtfDir)
    await writeFile(join(kernelBtfDir, 'vmlinux'), fooBtf())
    const settings = { localKernel: true, kernelBtfDir, memoryBytes: 1 }
    const before = await startService(folder, settings)
    const [entry] = (await before.listKernels({ limit: 1 })).kernels
    expect(entry).toMatchObject({ btfSha256: sha256(fooBtf()) })
    const service = await startService(folder, settings)
    const { request } = await startAppWith(service)
    const path = contentPath(folder, 'btf', sha256(fooBtf()))
    for (let at = 0; at < fooBtf().length; at += 37) {
      const bytes = await readFile(path)
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      await writeFile(path, bytes)
      const answer = await relocate(request, entry?.reference.release ?? '', fooObject(at))
      expect(offsetOfY({ bytes: await bytesOf(answer) })).toBe(12)
      await expect.poll(async () => await readFile(path).catch(() => undefined)).toEqual(Buffer.from(fooBtf()))
      const raw = await request(`/btf/${sha256(fooBtf())}`)
      expect(sha256(await bytesOf(raw))).toBe(sha256(fooBtf()))
    }
    expect(service.stats().cache['damaged_files']).toBeGreaterThan(5)
  })
})

describe('the cache folder', () => {
  it('may be deleted again and again while the service is busy: no 5xx', async () => {
    const folder = await temporaryFolder()
    const service = await startService(folder)
    const { request } = await startAppWith(service)
    const statuses = new Map<number, number>()
    const count = async (response: Promise<Response>): Promise<void> => {
      const { status } = await response
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    const deleting = { isOver: false }
    const deleter = (async () => {
      while (!deleting.isOver) {
        await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {}) // a file was made in it meanwhile
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    })()
    await Promise.all(Array.from({ length: 8 }, async (_, client) => {
      for (let i = 0; i < 6; i++) {
        const serial = client * 100 + i
        await count(putBtf(request, `6.${serial}`, fooBtf(serial)))
        await count(relocate(request, `6.${serial}`, fooObject(serial)))
        await count(request(`/objects/${sha256(fooObject(serial + 5000))}`, { method: 'PUT', body: fooObject(serial + 5000) }))
        await count(relocate(request, `6.${serial}`, sha256(fooObject(serial + 5000))))
        await count(request(`/btf/${sha256(fooBtf(serial))}`))
      }
    }))
    deleting.isOver = true
    await deleter
    expect([...statuses.keys()].sort()).toEqual([200, 201])
    expect(await metric(request, DISK_DEGRADED)).toBe(0)
    expect((await relocate(request, UBUNTU.release)).status).toBe(404)
    const fresh = await putBtf(request, '7.0', fooBtf(7000))
    expect(fresh.status).toBe(201)
    expect(await readFile(contentPath(folder, 'btf', sha256(fooBtf(7000))))).toEqual(Buffer.from(fooBtf(7000)))
  })
})
