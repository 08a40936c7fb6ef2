import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cellsIn } from '../../src/check/cells.js'
import { GENERATED_KEY_FILE } from '../../src/keys/key-file.js'
import { sha256 } from '../../src/store/sha256.js'
import type { StoredKind } from '../../src/store/stored-kinds.js'
import { at, integers } from '../support/btf-builder.js'
import { targetFoo } from '../support/corpus.js'
import { mountRefusal, smallDisk } from '../support/tmpfs.js'
import { contentPath, fooObject, putAll, startService, type StartedService } from '../unit/service/lab.js'
import { coreloText, removeFoldersAfterEach, temporaryFolder, type TextRun } from './corelo.js'

removeFoldersAfterEach()

/** Of so many types that it is worth an index. */
const KERNEL = ((): Uint8Array => {
  const builder = targetFoo()
  const { int } = integers(builder)
  for (let i = 0; i < 8000; i++) builder.struct(`struct_${i}`, 8, [at(`member_${i}`, 0, int), at(`other_${i}`, 4, int)])
  return builder.bytes()
})()
const RELEASE = '6.1.0-1'

/** What is kept there. */
const KINDS = ['index', 'layout'] as const

const pathIn = (cache: string, kind: StoredKind): string => contentPath(cache, kind, sha256(KERNEL))
const contentIn = (cache: string, kind: StoredKind): Buffer => readFileSync(pathIn(cache, kind))

async function importInto (cache: string): Promise<TextRun> {
  const file = join(temporaryFolder(), 'vmlinux.btf')
  writeFileSync(file, KERNEL)
  const named = ['--distro', 'acme', '--distro-version', '1', '--arch', 'x86_64', '--release', RELEASE]
  return await coreloText(['btf', 'import', file, ...named, '--cache-dir', cache])
}

/** A cache in which a service has been, with its signing key and nothing else. */
async function cacheOfService (): Promise<string> {
  const cache = temporaryFolder()
  await (await startService(cache)).close()
  return cache
}

async function stateIn (service: StartedService): Promise<unknown> {
  const { cells } = await service.check({ objects: [{ content: fooObject() }], kernels: ['*'], fetch: false }, new AbortController().signal)
  const states: unknown[] = []
  for await (const batch of cells) for (const { outcome } of cellsIn(batch)) states.push(outcome.state)
  return states
}

describe('beside a kernel, corelo btf import keeps', () => {
  it('what a service would make of it, and a service takes that over', async () => {
    const [imported, made] = [await cacheOfService(), temporaryFolder()]
    copyFileSync(join(imported, GENERATED_KEY_FILE), join(made, GENERATED_KEY_FILE))
    const maker = await startService(made)
    await putAll(maker, { [RELEASE]: KERNEL })
    await maker.close()
    expect(await importInto(imported)).toMatchObject({ code: 0, stderr: expect.not.stringContaining('warning') })
    for (const kind of KINDS) expect(contentIn(imported, kind).equals(contentIn(made, kind))).toBe(true)

    const service = await startService(imported)
    expect(await stateIn(service)).toEqual(['loads'])
    expect(service.stats().cache).toMatchObject({ btf_indexes_made: 0, layouts_made: 0, damaged_files: 0 })
    expect(service.stats().checks.relocations).toBe(1)
  })

  it('the layout table alone where no service has left a key, and makes none', async () => {
    const cache = join(temporaryFolder(), 'cache')
    expect(await importInto(cache)).toMatchObject({ code: 0 })
    expect(KINDS.map(kind => existsSync(pathIn(cache, kind)))).toEqual([false, true])
    expect(existsSync(join(cache, GENERATED_KEY_FILE))).toBe(false)
  })

  it.each([
    ['was not there', (path: string) => { rmSync(path) }],
    ['was damaged', (path: string) => { writeFileSync(path, readFileSync(path).fill(0, 100, 200)) }],
    ['was cut', (path: string) => { writeFileSync(path, readFileSync(path).subarray(0, 1000)) }]
  ])('what %s of a kernel that is held', async (_what, spoil) => {
    const cache = await cacheOfService()
    await importInto(cache)
    const whole = KINDS.map(kind => contentIn(cache, kind))
    for (const kind of KINDS) spoil(pathIn(cache, kind))
    expect(await importInto(cache)).toMatchObject({ code: 0, stdout: expect.stringMatching(/ held$/m) })
    expect(KINDS.map(kind => contentIn(cache, kind))).toEqual(whole)
  })

  it('nothing where that cannot be written, and the kernel all the same', async () => {
    const cache = await cacheOfService()
    for (const kind of KINDS) {
      mkdirSync(dirname(dirname(pathIn(cache, kind))), { recursive: true })
      writeFileSync(dirname(pathIn(cache, kind)), 'in the way of a folder')
    }
    expect(await importInto(cache)).toMatchObject({
      code: 0, stdout: expect.stringMatching(/ new$/m), stderr: expect.stringContaining('Content cannot be stored on disk')
    })
    const service = await startService(cache)
    expect(await stateIn(service)).toEqual(['loads'])
  })

  it.skipIf(mountRefusal !== undefined)(
    `nothing where the disk has room for the kernel alone${mountRefusal === undefined ? '' : ` (left out: ${mountRefusal})`}`, async () => {
      const cache = smallDisk('700k')
      expect(await importInto(cache)).toMatchObject({
        code: 0, stdout: expect.stringMatching(/ new$/m), stderr: expect.stringContaining('The disk is full')
      })
      expect(existsSync(pathIn(cache, 'layout'))).toBe(false)
      expect(contentIn(cache, 'btf').equals(KERNEL)).toBe(true)
    }
  )
})
