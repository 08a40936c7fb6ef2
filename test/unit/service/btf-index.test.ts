import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { join } from 'node:path'
import { cellsIn } from '../../../src/check/cells.js'
import { sha256 } from '../../../src/store/sha256.js'
import { targetFoo } from '../../support/corpus.js'
import { breakFile, contentPath, fooObject, offsetOfY, put, relocate, startService, temporaryFolder, type StartedService } from './lab.js'

/** BTF that is large enough for its index to be kept. */
function largeBtf (): Uint8Array {
  const builder = targetFoo()
  for (let i = 0; i < 40; i++) builder.int(`serial_${i}_`.padEnd(7000, 'x'), 4)
  return builder.bytes()
}

const BTF = largeBtf()
const indexPath = (folder: string, bytes = BTF): string => contentPath(folder, 'index', sha256(bytes))

/** A folder in which a kernel is held with its index. */
async function heldIn (folder: string): Promise<Buffer> {
  const service = await startService(folder)
  await put(service, BTF)
  await service.close()
  return await readFile(indexPath(folder))
}

const indexes = (service: StartedService): number[] =>
  [service.stats().cache['btf_indexes_read'] ?? 0, service.stats().cache['btf_indexes_made'] ?? 0]

describe('the index of a kernel on disk', () => {
  it('is read after a restart instead of being made', async () => {
    const folder = await temporaryFolder()
    await heldIn(folder)
    const service = await startService(folder)
    expect(offsetOfY(await relocate(service))).toBe(12)
    expect(indexes(service)).toEqual([1, 0])
  })

  it.each([
    ['with a flipped bit in its words', (bytes: Buffer) => { bytes[40] = (bytes[40] ?? 0) ^ 4 }],
    ['that was cut', (bytes: Buffer) => bytes.subarray(0, 100)],
    ['that is empty', () => Buffer.alloc(0)],
    ['of which a power failure left zeros', (bytes: Buffer) => { bytes.fill(0, 64) }],
    ['that is of other BTF', (bytes: Buffer) => { bytes.fill(9, bytes.length - 64, bytes.length - 32) }]
  ])('%s is not believed, counted, and made anew', async (_name, damage) => {
    const folder = await temporaryFolder()
    const whole = await heldIn(folder)
    const damaged = Buffer.from(whole)
    await writeFile(indexPath(folder), damage(damaged) ?? damaged)
    const service = await startService(folder)
    expect(offsetOfY(await relocate(service))).toBe(12)
    expect(indexes(service)).toEqual([0, 1])
    expect(service.stats().cache['damaged_files']).toBe(1)
    await service.close()
    expect(await readFile(indexPath(folder))).toEqual(whole)
  })

  it('that a service with another signing key made is made anew', async () => {
    const folder = await temporaryFolder()
    const before = await heldIn(folder)
    await rm(join(folder, 'signing-key.pem'))
    const service = await startService(folder)
    expect(offsetOfY(await relocate(service))).toBe(12)
    expect(indexes(service)).toEqual([0, 1])
    await service.close()
    expect(await readFile(indexPath(folder))).not.toEqual(before)
  })

  it('that another process did not make is made by the first check of the kernel', async () => {
    const folder = await temporaryFolder()
    const whole = await heldIn(folder)
    await rm(indexPath(folder))
    const service = await startService(folder)
    const request = { objects: [{ content: fooObject() }], kernels: ['*'], fetch: false }
    const { cells } = await service.check(request, new AbortController().signal)
    for await (const batch of cells) expect([...cellsIn(batch)].map(({ outcome }) => outcome.state)).toEqual(['loads'])
    expect(indexes(service)).toEqual([0, 1])
    await service.close()
    expect(await readFile(indexPath(folder))).toEqual(whole)
  })

  it('that cannot be read is left where it is, and the kernel answers', async () => {
    const folder = await temporaryFolder()
    await heldIn(folder)
    const path = indexPath(folder)
    await breakFile(path)
    const service = await startService(folder)
    expect(offsetOfY(await relocate(service))).toBe(12)
    expect(service.stats().cache).toMatchObject({ unreadable_files: 1, damaged_files: 0 })
    await service.close()
    await expect(stat(path)).rejects.toMatchObject({ code: 'ELOOP' })
  })

  it('that belongs to damaged BTF goes with it', async () => {
    const folder = await temporaryFolder()
    await heldIn(folder)
    await writeFile(contentPath(folder, 'btf', sha256(BTF)), BTF.subarray(1))
    const service = await startService(folder)
    await expect(relocate(service)).rejects.toMatchObject({ code: 'btf_unknown' })
    await expect(stat(indexPath(folder))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is not kept of BTF that is read as fast without it', async () => {
    const folder = await temporaryFolder()
    const small = targetFoo().bytes()
    const service = await startService(folder)
    await put(service, small)
    await service.close()
    await expect(stat(indexPath(folder, small))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
