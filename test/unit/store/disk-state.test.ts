import { randomBytes } from 'node:crypto'
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openContentStore, type ContentStore } from '../../../src/store/content-store.js'
import { createDiskState, type DiskState } from '../../../src/store/disk-state.js'
import { openKernelIndex } from '../../../src/kernels/kernel-index.js'
import { sha256, type Sha256 } from '../../../src/store/sha256.js'
import { mountRefusal, remount, smallDisk } from '../../support/tmpfs.js'
import { temporaryFolder } from '../service/lab.js'
import { recordOf } from '../kernels/records.js'

const MIB = 1 << 20

interface Opened { readonly disk: DiskState, readonly store: ContentStore, readonly warnings: string[] }

function open (directory: string): Opened {
  const warnings: string[] = []
  const onWarning = (message: string): void => { warnings.push(message) }
  const disk = createDiskState({ directory, onWarning, retryMs: 100 })
  const store = openContentStore({ directory, disk, onWarning })
  onTestFinished(async () => {
    await store.close()
    disk.close()
  })
  return { disk, store, warnings }
}

async function write (store: ContentStore, size: number): Promise<{ hash: Sha256, isHeld: boolean }> {
  const bytes = new Uint8Array(randomBytes(size))
  const hash = sha256(bytes)
  return { hash, isHeld: await store.write('btf', hash, bytes, 'fetched') }
}

async function freeBytes (folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

describe.skipIf(
  mountRefusal !== undefined
)(`a disk that is full${mountRefusal === undefined ? '' : ` (left out: ${mountRefusal})`}`, () => {
  it('is noticed, said once, and used again when there is room', async () => {
    const folder = smallDisk('16m')
    const { disk, store, warnings } = open(folder)
    expect((await write(store, MIB)).isHeld).toBe(true)
    const filler = join(folder, 'somebody-elses')
    await writeFile(filler, new Uint8Array(await freeBytes(folder) - 64 * 1024))
    for (let i = 0; i < 5; i++) expect((await write(store, MIB)).isHeld).toBe(false)
    expect(disk.trouble).toBe('full')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/disk is full/)
    expect(store.stats()).toMatchObject({ written: 1, writesSkipped: 5 })
    await rm(filler)
    await expect.poll(() => disk.trouble).toBeUndefined()
    expect(warnings).toHaveLength(2)
    expect((await write(store, MIB)).isHeld).toBe(true)
  })

  it('is noticed by the write that finds it so, which leaves nothing behind', async () => {
    const folder = smallDisk('8m')
    const { disk, store } = open(folder)
    await writeFile(join(folder, 'somebody-elses'), new Uint8Array(await freeBytes(folder)))
    disk.failed(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
    expect(disk.trouble).toBe('full')
    const { hash, isHeld } = await write(store, MIB)
    expect(isHeld).toBe(false)
    expect(await store.sizeOf('btf', hash)).toBeUndefined()
  })

  it('is not made full by the cache, which gives way before', async () => {
    const folder = smallDisk('16m')
    const { disk, store } = open(folder)
    const hashes: Sha256[] = []
    for (let i = 0; i < 40; i++) {
      const { hash, isHeld } = await write(store, MIB)
      expect(isHeld).toBe(true)
      hashes.push(hash)
    }
    expect(disk.trouble).toBeUndefined()
    expect(await freeBytes(folder)).toBeGreaterThan(16 * MIB * 0.03)
    expect(store.stats().evicted).toBeGreaterThan(20)
    expect(await store.read('btf', hashes.at(-1) as Sha256)).toBeDefined()
  })

  it('is measured anew for small writes where the last measure is old, or leaves little', async () => {
    const folder = smallDisk('64m')
    const { disk } = open(folder)
    const takeRoom = (name: string): Promise<void> => writeFile(join(folder, name), new Uint8Array(8 * MIB))
    const first = await disk.recentRoom(MIB)
    await takeRoom('somebody-elses')
    const remembered = await disk.recentRoom(MIB)
    expect(remembered).toEqual({ spare: first.spare - MIB, comfortable: first.comfortable })
    expect((await disk.recentRoom(remembered.spare - MIB)).spare).toBe(first.spare - 8 * MIB)
    expect((await disk.recentRoom(0)).spare).toBe(first.spare - 8 * MIB)
    await takeRoom('and-another')
    expect((await disk.recentRoom(0)).spare).toBe(first.spare - 8 * MIB)
    await expect.poll(async () => (await disk.recentRoom(0)).spare).toBe(first.spare - 16 * MIB)
  })

  it('that takes no writes at all is the same, and the index follows when it does', async () => {
    const folder = smallDisk('8m')
    const { disk, store, warnings } = open(folder)
    const index = await openKernelIndex({ directory: folder, disk })
    onTestFinished(() => index.close())
    remount(folder, 'ro')
    expect((await write(store, MIB)).isHeld).toBe(false)
    await expect.poll(() => disk.trouble).toBe('unwritable')
    await index.put(recordOf('5.4'))
    expect(index.stats().writeFailures).toBe(1)
    expect(index.get(recordOf('5.4').reference, recordOf('5.4').btfSha256)).toBeDefined()
    expect(warnings.filter(message => message.includes('takes no writes'))).toHaveLength(1)
    remount(folder, 'rw')
    await expect.poll(() => disk.trouble).toBeUndefined()
    expect((await write(store, MIB)).isHeld).toBe(true)
    await index.close()
    const again = await openKernelIndex({ directory: folder })
    onTestFinished(() => again.close())
    expect(again.list()).toEqual([recordOf('5.4')])
  })
})

describe('an error of the moment', () => {
  it.each(['ENOENT', 'EMFILE'])('(%s) does not stop the storing', async code => {
    const { disk, store, warnings } = open(await temporaryFolder())
    disk.failed(Object.assign(new Error('gone'), { code }))
    expect((await write(store, MIB)).isHeld).toBe(true)
    expect(disk.trouble).toBeUndefined()
    expect(warnings).toEqual([])
  })
})
