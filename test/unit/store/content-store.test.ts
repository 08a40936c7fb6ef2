import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openContentStore, type ContentStore, type ContentStoreOptions } from '../../../src/store/content-store.js'
import { openKernelIndex } from '../../../src/kernels/kernel-index.js'
import { isSha256, sha256, type Sha256 } from '../../../src/store/sha256.js'
import { runs } from '../../support/property-runs.js'
import { temporaryFolder } from '../service/lab.js'

const BYTES = new Uint8Array(1000).fill(7)
const HASH = sha256(BYTES)
/** `npm run kill-loop` kills the whole service, more often. */
const KILLS = runs(6).numRuns

function open (directory: string, options: Partial<ContentStoreOptions> = {}): ContentStore {
  const store = openContentStore({ directory, ...options })
  onTestFinished(() => store.close())
  return store
}

describe('content', () => {
  it('is what was written, or nothing', async () => {
    const directory = await temporaryFolder()
    const store = open(directory)
    expect(await store.read('btf', HASH)).toBeUndefined()
    expect(await store.write('btf', HASH, BYTES)).toBe(true)
    expect(await store.read('btf', HASH)).toEqual(Buffer.from(BYTES))
    expect(await store.read('object', HASH)).toBeUndefined()
    expect(await open(directory).read('btf', HASH)).toEqual(Buffer.from(BYTES))
  })

  it('that was changed or cut on disk is removed and counted, never given', async () => {
    const warnings: string[] = []
    const store = open(await temporaryFolder(), { onWarning: message => warnings.push(message) })
    for (const damage of [(bytes: Buffer) => { bytes[500] = 8 }, (bytes: Buffer) => bytes.subarray(0, 999), () => Buffer.alloc(0)]) {
      await store.write('object', HASH, BYTES)
      const bytes = Buffer.from(BYTES)
      await writeFile(store.pathOf('object', HASH), damage(bytes) ?? bytes)
      expect(await store.read('object', HASH)).toBeUndefined()
      expect(await store.sizeOf('object', HASH)).toBeUndefined()
    }
    expect(store.stats().damaged).toBe(3)
    expect(warnings).toHaveLength(3)
  })

  it('is counted in bytes on disk, what was there at the start included', async () => {
    const directory = await temporaryFolder()
    const first = open(directory)
    await first.write('btf', HASH, BYTES)
    await first.write('btf', HASH, BYTES)
    await first.close()
    expect(first.stats()).toMatchObject({ diskBytes: 1000, written: 2 })
    await sleep(20)
    const second = open(directory)
    const other = new Uint8Array(500)
    await second.write('object', sha256(other), other)
    await second.close()
    expect(second.stats().diskBytes).toBeGreaterThanOrEqual(500)
    const third = open(directory)
    await expect.poll(() => third.stats().diskBytes).toBe(1500)
  })

  it('written behind is there in the end, and once only', async () => {
    const store = open(await temporaryFolder())
    store.writeBehind('object', HASH, BYTES)
    store.writeBehind('object', HASH, BYTES)
    await store.close()
    expect(await store.read('object', HASH)).toEqual(Buffer.from(BYTES))
    expect(store.stats().written).toBe(1)
  })

  it('written behind leaves a file alone that is there', async () => {
    const directory = await temporaryFolder()
    const before = open(directory)
    await before.write('object', HASH, BYTES)
    await before.close()
    const { ino } = await stat(before.pathOf('object', HASH))
    const after = open(directory)
    after.writeBehind('object', HASH, BYTES)
    await after.close()
    expect([(await stat(after.pathOf('object', HASH))).ino, after.stats().written]).toEqual([ino, 0])
  })

  it('needs no folder to be there', async () => {
    const directory = await temporaryFolder()
    const store = open(directory)
    await store.write('btf', HASH, BYTES)
    await rm(directory, { recursive: true })
    expect(await store.read('btf', HASH)).toBeUndefined()
    expect(await store.write('btf', HASH, BYTES)).toBe(true)
    expect(await store.read('btf', HASH)).toEqual(Buffer.from(BYTES))
  })

  it('that the disk does not take is counted, and no error', async () => {
    const directory = await temporaryFolder()
    await writeFile(join(directory, 'content'), '')
    const store = open(directory)
    expect(await store.write('btf', HASH, BYTES)).toBe(false)
    store.writeBehind('object', HASH, BYTES)
    await store.close()
    expect(store.stats()).toMatchObject({ written: 0, writeFailures: 1, writesSkipped: 1, diskBytes: 0 })
  })
})

describe('what a killed process leaves', () => {
  it('is removed once it is old enough to be nobody else\'s', async () => {
    const directory = await temporaryFolder()
    const before = open(directory)
    const folder = dirname(before.pathOf('btf', HASH))
    await before.close()
    await mkdir(folder, { recursive: true })
    const old = join(folder, 'orphan.1234')
    await writeFile(old, BYTES)
    await utimes(old, new Date(0), new Date(0))
    await writeFile(join(folder, 'young.5678'), BYTES)
    const store = open(directory, { orphanAgeMs: 300 })
    await expect.poll(() => store.stats().orphansRemoved).toBe(1)
    expect(await readdir(folder)).toEqual(['young.5678'])
    await expect.poll(() => store.stats().orphansRemoved).toBe(2)
  })

  it('is never half a file: killed again and again while writing, all that can be read is right', async () => {
    const directory = await temporaryFolder()
    let verified = 0
    for (let round = 0; round < KILLS; round++) {
      const writer = fork(join(import.meta.dirname, 'kill-writer.mjs'), [directory, String(round)], { execArgv: [] })
      await once(writer, 'message')
      await sleep(Math.random() * 40)
      writer.kill('SIGKILL')
      await once(writer, 'exit')

      const warnings: string[] = []
      const onWarning = (message: string): void => { warnings.push(message) }
      const store = open(directory, { onWarning })
      const index = await openKernelIndex({ directory, onWarning })
      expect(index.list().length).toBeGreaterThan(0)
      for (const { btfSha256 } of index.list()) {
        expect(sha256(await store.read('btf', btfSha256) ?? '')).toBe(btfSha256)
        verified++
      }
      for (const kind of ['btf', 'object'] as const) {
        for (const hash of await storedHashes(join(directory, 'content', kind))) expect(await store.read(kind, hash)).toBeDefined()
      }
      expect(warnings).toEqual([])
      await store.close()
    }
    expect(verified).toBeGreaterThanOrEqual(KILLS)
    const swept = open(directory, { orphanAgeMs: 0 })
    await expect.poll(async () => (await orphans(join(directory, 'content'))).length).toBe(0)
    await swept.close()
  })
})

async function storedHashes (folder: string): Promise<Sha256[]> {
  const files = await readdir(folder, { recursive: true }).catch(() => [])
  return files.map(file => `sha256:${file.split('/').at(-1) ?? ''}`).filter(isSha256)
}

async function orphans (folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  return files.filter(file => file.isFile() && !isSha256(`sha256:${file.name}`)).map(({ name }) => name)
}

describe('an orphan of the index', () => {
  it('does not stand for a kernel', async () => {
    const directory = await temporaryFolder()
    const folder = join(directory, 'index', 'd', '1', 'x86_64')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, '5.4.json.123456'), '{')
    await utimes(join(folder, '5.4.json.123456'), new Date(0), new Date(0))
    const index = await openKernelIndex({ directory })
    expect(index.list()).toEqual([])
    expect(await readdir(folder)).toEqual([])
    await expect(readFile(join(folder, '5.4.json'))).rejects.toThrow('ENOENT')
  })
})
