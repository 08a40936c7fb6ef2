import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openContentStore, type ContentStore, type ContentStoreOptions } from '../../../src/store/content-store.js'
import { createDiskLedger, type Share } from '../../../src/store/disk-ledger.js'
import { isSha256, sha256, type Sha256 } from '../../../src/store/sha256.js'
import { temporaryFolder } from '../service/lab.js'

const SIZE = 10_000
const content = (serial: number): Uint8Array => new Uint8Array(SIZE).fill(serial)
const hashOf = (serial: number): Sha256 => sha256(content(serial))

/** Nothing goes before the first walk over the cache is over: the last that it comes to is the half-written file that is put there. */
async function open (directory: string, options: Partial<ContentStoreOptions> = {}): Promise<ContentStore> {
  const leftover = join(directory, 'content/result/ff/half-written')
  const leave = async (): Promise<void> => {
    await mkdir(dirname(leftover), { recursive: true })
    await writeFile(leftover, '')
    await utimes(leftover, 0, 0).catch(() => {}) // another store has removed it already
  }
  await leave()
  const store = openContentStore({ directory, maxBytes: 5 * SIZE, ...options })
  onTestFinished(() => store.close())
  await expect.poll(async () => {
    if (store.stats().orphansRemoved === 0) await leave()
    return store.stats().orphansRemoved
  }).toBeGreaterThan(0)
  return store
}

async function heldIn (directory: string): Promise<string[]> {
  const files = await readdir(join(directory, 'content'), { recursive: true }).catch(() => [])
  return files.map(file => file.split('/').at(-1) ?? '').filter(name => isSha256(`sha256:${name}`))
}

async function holds (store: ContentStore, serial: number): Promise<boolean> {
  return await store.sizeOf('btf', hashOf(serial)) !== undefined
}

async function held (store: ContentStore, serials: readonly number[]): Promise<number[]> {
  const found: number[] = []
  for (const serial of serials) if (await holds(store, serial)) found.push(serial)
  return found
}

/** Makes the last use of a file be this many hours ago, for whoever looks at the disk. */
async function age (store: ContentStore, serial: number, hours: number, kind: 'btf' | 'index' = 'btf'): Promise<void> {
  const at = new Date(Date.now() - hours * 3_600_000)
  await utimes(store.pathOf(kind, hashOf(serial)), at, at)
}

async function fill (store: ContentStore, serials: readonly number[], share: Share = 'fetched'): Promise<void> {
  for (const serial of serials) expect(await store.write('btf', hashOf(serial), content(serial), share)).toBe(true)
}

describe('the budget of the disk', () => {
  it('is kept, the oldest content going first', async () => {
    const store = await open(await temporaryFolder())
    await fill(store, [1, 2, 3, 4, 5, 6, 7])
    expect(await held(store, [1, 2, 3, 4, 5, 6, 7])).toEqual([3, 4, 5, 6, 7])
    expect(store.stats()).toMatchObject({ diskBytes: 5 * SIZE, files: 5, evicted: 2, keptEvicted: 0 })
  })

  it('has the index of a BTF go with it', async () => {
    const store = await open(await temporaryFolder(), { maxBytes: 2 * SIZE + 300 })
    await fill(store, [1])
    store.rewriteBehind('index', hashOf(1), 100, () => new Uint8Array(100))
    await expect.poll(() => store.stats().files).toBe(2)
    await fill(store, [2, 3])
    expect(await held(store, [1, 2, 3])).toEqual([2, 3])
    expect(await store.readDerived('index', hashOf(1))).toEqual({ state: 'absent' })
    expect(store.stats()).toMatchObject({ diskBytes: 2 * SIZE, files: 2 })
  })

  it('counts no index whose BTF another process removed', async () => {
    const directory = await temporaryFolder()
    const before = openContentStore({ directory })
    for (const serial of [1, 2]) before.rewriteBehind('index', hashOf(serial), 100, () => new Uint8Array(100))
    await before.close()
    await age(before, 1, 1, 'index')
    const store = openContentStore({ directory })
    onTestFinished(() => store.close())
    await expect.poll(() => store.stats().diskBytes).toBe(100) // the other may be that of BTF that is being written
    expect(await store.readDerived('index', hashOf(1))).toEqual({ state: 'absent' })
  })

  it('is kept while many write at once', async () => {
    const directory = await temporaryFolder()
    const store = await open(directory)
    await Promise.all(Array.from({ length: 40 }, (_, i) => store.write('btf', hashOf(i), content(i), 'fetched')))
    expect((await heldIn(directory)).length).toBeLessThanOrEqual(5)
    expect(store.stats().diskBytes).toBeLessThanOrEqual(5 * SIZE)
  })

  it('counts objects and BTF together', async () => {
    const store = await open(await temporaryFolder())
    await store.write('object', hashOf(0), content(0))
    await fill(store, [1, 2, 3, 4, 5])
    expect(store.stats().diskBytes).toBe(5 * SIZE)
  })

  it('takes nothing that is larger than all of it, and removes nothing for it', async () => {
    const store = await open(await temporaryFolder())
    await fill(store, [1])
    const large = new Uint8Array(6 * SIZE)
    expect(await store.write('btf', sha256(large), large)).toBe(false)
    expect(store.stats().writesSkipped).toBe(1)
    expect(await holds(store, 1)).toBe(true)
  })

  it('that became smaller with a restart is kept too', async () => {
    const directory = await temporaryFolder()
    const before = await open(directory)
    await fill(before, [1, 2, 3, 4, 5])
    for (const serial of [1, 2, 3, 4, 5]) await age(before, serial, 10 - serial)
    await before.close()
    const after = openContentStore({ directory, maxBytes: 2 * SIZE })
    onTestFinished(() => after.close())
    await expect.poll(async () => await held(after, [1, 2, 3, 4, 5])).toEqual([4, 5])
  })
})

describe('what is used', () => {
  it('stays on disk, also when it is the first that came and the process began anew', async () => {
    const directory = await temporaryFolder()
    const before = await open(directory)
    await fill(before, [1, 2, 3, 4])
    for (const serial of [1, 2, 3, 4]) await age(before, serial, 10 - serial)
    await before.close()
    const store = await open(directory)
    expect(await store.read('btf', hashOf(1))).toBeDefined()
    await expect.poll(async () => Date.now() - (await stat(store.pathOf('btf', hashOf(1)))).mtimeMs).toBeLessThan(60_000)
    await fill(store, [5, 6])
    expect(await held(store, [1, 2, 3, 4, 5, 6])).toEqual([1, 3, 4, 5, 6])
    await store.close()
    const again = await open(directory)
    await fill(again, [7, 8, 9])
    expect(await held(again, [1, 3, 4, 5, 6, 7, 8, 9])).toContain(9)
    expect(await holds(again, 3)).toBe(false)
    expect(await holds(again, 4)).toBe(false)
  })

  it('by another process stays on disk', async () => {
    const directory = await temporaryFolder()
    const before = await open(directory)
    await fill(before, [1, 2, 3, 4, 5])
    for (const serial of [1, 2, 3, 4, 5]) await age(before, serial, 10 - serial)
    await before.close()
    const store = await open(directory)
    await age(store, 1, 0)
    await fill(store, [6, 7])
    expect(await held(store, [1, 2, 3, 4, 5, 6, 7])).toEqual([1, 4, 5, 6, 7])
  })

  it('is written to the file at most once an hour', () => {
    const ledger = createDiskLedger<string>(() => 'fetched')
    const hour = 3_600_000
    const start = Date.now()
    ledger.adopt(new Map([['a', { bytes: 1, mtimeMs: start }]]), start)
    const told: number[] = []
    for (let minute = 1; minute <= 180; minute++) if (ledger.use('a', start + minute * 60_000)) told.push(minute)
    expect(told).toEqual([60, 120, 180])
    expect(ledger.use('a', start + 4 * hour)).toBe(true)
    expect(ledger.use('b', start)).toBe(false)
  })
})

describe('the part of the budget that is', () => {
  const TEN = { maxBytes: 10 * SIZE }

  it("an operator's is touched by nothing that nodes send or ask for", async () => {
    const store = await open(await temporaryFolder(), TEN)
    await fill(store, [1, 2, 3, 4, 5, 6, 7, 8, 9], 'kept')
    for (const [i, share] of (['object', 'upload', 'fetched'] as const).entries()) {
      for (const serial of [20, 21, 22]) {
        await store.write(share === 'object' ? 'object' : 'btf', hashOf(serial + 10 * i), content(serial + 10 * i), share)
      }
      expect(await held(store, [1, 2, 3, 4, 5, 6, 7, 8, 9])).toHaveLength(9)
    }
    expect(store.stats().keptEvicted).toBeLessThanOrEqual(2) // of the uploads
  })

  it('of uploads is what they displace, and no more', async () => {
    const gone: string[] = []
    const store = await open(await temporaryFolder(), { ...TEN, onUploadEvicted: hash => gone.push(hash) })
    await fill(store, [1, 2, 3, 4, 5], 'fetched')
    await fill(store, [11, 12, 13, 14, 15, 16, 17, 18], 'upload')
    expect(await held(store, [1, 2, 3, 4, 5])).toEqual([1, 2, 3, 4, 5])
    expect(await held(store, [11, 12, 13, 14, 15, 16, 17, 18])).toEqual([14, 15, 16, 17, 18])
    expect(gone).toEqual([hashOf(11), hashOf(12), hashOf(13)])
  })

  it('of fetched kernels stays theirs, however many objects come', async () => {
    const store = await open(await temporaryFolder(), TEN)
    await fill(store, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'fetched')
    for (let serial = 20; serial < 60; serial++) await store.write('object', hashOf(serial), content(serial))
    expect((await held(store, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).length).toBeGreaterThanOrEqual(9)
  })

  it('of a share is given back when that needs it', async () => {
    const store = await open(await temporaryFolder(), TEN)
    for (let serial = 20; serial < 30; serial++) await store.write('object', hashOf(serial), content(serial))
    await fill(store, [1, 2, 3, 4, 5], 'fetched')
    await fill(store, [11, 12], 'upload')
    expect(await held(store, [1, 2, 3, 4, 5, 11, 12])).toEqual([1, 2, 3, 4, 5, 11, 12])
  })

  it('that of which names speak now, not when it was written', async () => {
    const shares = new Map<Sha256, Share>()
    const store = await open(await temporaryFolder(), { ...TEN, shareOf: hash => shares.get(hash) ?? 'spare' })
    await fill(store, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'upload')
    for (const serial of [1, 2]) shares.set(hashOf(serial), 'kept')
    await fill(store, [11, 12, 13, 14, 15, 16, 17, 18, 19, 20], 'upload')
    expect(await held(store, [1, 2])).toEqual([1, 2])
  })

  it('spent on what only is here is warned about when something of it goes', async () => {
    const warnings: string[] = []
    const store = await open(await temporaryFolder(), { onWarning: message => warnings.push(message) })
    await fill(store, [1, 2, 3, 4, 5, 6], 'kept')
    expect(await held(store, [1, 2, 3, 4, 5, 6])).toEqual([2, 3, 4, 5, 6])
    expect(store.stats()).toMatchObject({ evicted: 1, keptEvicted: 1 })
    expect(warnings.join()).toContain('CORELO_CACHE_BYTES')
  })
})

describe('processes that share a cache', () => {
  it('count what the others wrote and removed', async () => {
    const directory = await temporaryFolder()
    const one = await open(directory, { sweepIntervalMs: 50 })
    const other = await open(directory, { sweepIntervalMs: 50 })
    await fill(one, [1, 2, 3])
    await expect.poll(() => other.stats().files).toBe(3)
    await fill(other, [4, 5, 6, 7])
    // Both may make room for the same new file, each by removing another one: then fewer are left than there is room for.
    await expect.poll(async () => (await heldIn(directory)).length).toBeOneOf([3, 4, 5])
    await expect.poll(async () => {
      const { length } = await heldIn(directory)
      return [one, other].map(store => store.stats().files - length)
    }).toEqual([0, 0])
    expect(await holds(one, 7)).toBe(true)
  })
})
