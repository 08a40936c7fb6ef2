import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hexOf, sha256 } from '../../../src/store/sha256.js'
import { contentPath, failure, fooBtf, fooObject, offsetOfY, put, relocate, startService, temporaryFolder, UBUNTU } from './lab.js'

async function flipByte (path: string): Promise<void> {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await writeFile(path, bytes)
}

describe('an object', () => {
  it('is put once, by its hash, and then relocated by it', async () => {
    const folder = await temporaryFolder()
    const service = await startService(folder)
    await put(service, fooBtf())
    const hash = sha256(fooObject())
    await failure('object_unknown', relocate(service, { objectSha256: hash }))
    expect(await service.hasObject(hash)).toBe(false)
    expect(await service.putObject(fooObject(), hash)).toEqual({ created: true })
    expect(await service.putObject(fooObject(), hash)).toEqual({ created: false })
    const [others, other] = [fooObject(7), sha256(fooObject(7))]
    const atOnce = await Promise.all([1, 2, 3].map(async () => await service.putObject(others, other)))
    expect(atOnce.map(({ created }) => created).sort()).toEqual([false, false, true])
    expect(await service.hasObject(hash)).toBe(true)
    expect(offsetOfY(await relocate(service, { objectSha256: hash }))).toBe(12)
    expect(await readFile(contentPath(folder, 'object', hash))).toEqual(Buffer.from(fooObject()))
  })

  it('is refused under a hash that is not its own, and when it is none', async () => {
    const service = await startService(await temporaryFolder())
    const other = await failure('invalid_request', service.putObject(fooObject(), sha256('other')))
    expect(other.details).toEqual({ expected: sha256('other'), actual: sha256(fooObject()) })
    const junk = new Uint8Array(64)
    await failure('object_invalid', service.putObject(junk, sha256(junk)))
    await failure('invalid_request', service.hasObject('sha256:ABC'))
  })

  it('that was posted is known by its hash after a restart', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await put(before, fooBtf())
    const { objectSha256 } = await relocate(before)
    await before.close()
    const after = await startService(folder)
    expect(await after.hasObject(objectSha256)).toBe(true)
    expect(offsetOfY(await relocate(after, { objectSha256 }))).toBe(12)
  })

  it('with a flipped byte on disk is unknown, counted, and can be put again', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    const hash = sha256(fooObject())
    await before.putObject(fooObject(), hash)
    await before.close()
    await flipByte(contentPath(folder, 'object', hash))
    const service = await startService(folder)
    await put(service, fooBtf())
    await failure('object_unknown', relocate(service, { objectSha256: hash }))
    expect(service.stats().cache['damaged_files']).toBe(1)
    expect(await service.putObject(fooObject(), hash)).toEqual({ created: true })
    expect(offsetOfY(await relocate(service, { objectSha256: hash }))).toBe(12)
  })
})

describe('who sends an object or BTF', () => {
  it('is answered, although somebody who only names it at the same time is not', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf())
    for (let serial = 1; serial <= 20; serial++) {
      const object = fooObject(serial)
      const [named, sent] = [relocate(service, { objectSha256: sha256(object) }), relocate(service, { object })]
      await named.catch(() => {})
      expect(offsetOfY(await sent)).toBe(12)
      const btf = fooBtf(serial)
      const [byHash, brought] = [relocate(service, { object, btfSha256: sha256(btf) }), relocate(service, { object, btf: [btf] })]
      await byHash.catch(() => {})
      expect(offsetOfY(await brought)).toBe(12)
    }
  })
})

/** A service that starts with BTF on disk of which a byte is wrong. */
async function startDamaged () {
  const folder = await temporaryFolder()
  const before = await startService(folder)
  const { entry } = await put(before, fooBtf())
  await before.close()
  await flipByte(contentPath(folder, 'btf', entry.btfSha256))
  return { service: await startService(folder), entry }
}

describe('BTF', () => {
  it('with a flipped byte on disk is never used', async () => {
    const { service, entry } = await startDamaged()
    await failure('btf_unknown', relocate(service))
    await failure('btf_unknown', relocate(service, { btfSha256: entry.btfSha256 }))
    expect(service.stats().cache['damaged_files']).toBe(1)
    expect((await put(service, fooBtf())).created).toBe(false) // its name was never forgotten
    expect(offsetOfY(await relocate(service))).toBe(12)
  })

  it('that is only read is verified too', async () => {
    const { service, entry } = await startDamaged()
    await failure('btf_unknown', service.getBtf(entry.btfSha256))
    expect(await service.hasBtf(entry.btfSha256)).toBeUndefined()
  })

  it('is used from disk after a restart', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    const { entry } = await put(before, fooBtf())
    await before.close()
    const service = await startService(folder)
    expect(await service.getKernel(UBUNTU)).toEqual(entry)
    expect(await service.getBtf(entry.btfSha256)).toEqual(fooBtf())
    expect(await service.hasBtf(entry.btfSha256)).toEqual({ bytes: fooBtf().length })
    expect(offsetOfY(await relocate(service))).toBe(12)
  })
})

describe('the cache folder', () => {
  it('may be deleted while the service runs', async () => {
    const folder = await temporaryFolder()
    const service = await startService(folder)
    await put(service, fooBtf())
    await rm(folder, { recursive: true, maxRetries: 10 }) // a file may be made in it meanwhile
    expect(offsetOfY(await relocate(service, { object: fooObject(1) }))).toBe(12)
    expect((await put(service, fooBtf(2), { release: '5.5.0' })).created).toBe(true)
    expect(offsetOfY(await relocate(service, { kernel: { release: '5.5.0' } }))).toBe(12)
    expect(await service.putObject(fooObject(3), sha256(fooObject(3)))).toEqual({ created: true })
    expect(service.stats().cache['write_failures']).toBe(0)
    await service.close()
    const after = await startService(folder)
    expect((await after.listKernels({ limit: 10 })).kernels.map(({ reference }) => reference.release)).toEqual(['5.5.0'])
  })

  it('that takes no writes makes the service forgetful, not useless', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'content'), 'a file where a folder should be')
    await writeFile(join(folder, 'index'), 'another')
    const service = await startService(folder)
    expect((await put(service, fooBtf())).created).toBe(true)
    expect(offsetOfY(await relocate(service))).toBe(12)
    expect(await service.putObject(fooObject(1), sha256(fooObject(1)))).toEqual({ created: true })
    expect(offsetOfY(await relocate(service, { objectSha256: sha256(fooObject(1)) }))).toBe(12)
    expect(service.stats().cache['write_failures']).toBeGreaterThan(0)
    expect(service.warnings.join()).toContain('cannot be stored on disk')
  })

  it('has its index files skipped where they are damaged, and the rest used', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    for (const release of ['5.1', '5.2', '5.3']) await put(before, fooBtf(), { release })
    await before.close()
    const index = join(folder, 'index', 'ubuntu', '20.04', 'x86_64')
    const fileOf = (release: string) => join(index, `${release}@${hexOf(sha256(fooBtf()))}.json`)
    await writeFile(fileOf('5.1'), (await readFile(fileOf('5.1'), 'utf8')).slice(0, 100))
    await writeFile(fileOf('5.3'), (await readFile(fileOf('5.3'), 'utf8')).replace('node-1', 'node-2'))
    await writeFile(fileOf('moved'), await readFile(fileOf('5.2')))
    const service = await startService(folder)
    expect((await service.listKernels({ limit: 10 })).kernels.map(({ reference }) => reference.release)).toEqual(['5.2'])
    expect(service.warnings.join('\n')).toContain('index cannot be used')
  })

  it('has no temporary files left when the service has stopped', async () => {
    const folder = await temporaryFolder()
    const service = await startService(folder)
    await Promise.all(Array.from({ length: 20 }, (_, i) => put(service, fooBtf(i), { release: `6.${i}` })))
    await service.close()
    const files = await readdir(folder, { recursive: true })
    expect(files.filter(file => /\.\d{6,}$|\.[\w-]{8}-\d+$/.test(file))).toEqual([])
  })
})
