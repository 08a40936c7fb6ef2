import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openKernelIndex, type KernelIndex, type KernelIndexOptions } from '../../../src/kernels/kernel-index.js'
import { serializeRecord, type KernelRecord } from '../../../src/kernels/kernel-record.js'
import type { KernelQuery } from '../../../src/identity/reference.js'
import { hexOf, sha256 } from '../../../src/store/sha256.js'
import { temporaryFolder } from '../service/lab.js'
import { recordOf as record, YEAR_2020 } from './records.js'

async function open (directory: string, options: Partial<KernelIndexOptions> = {}): Promise<KernelIndex> {
  const index = await openKernelIndex({ directory, ...options })
  onTestFinished(() => index.close())
  return index
}

const fileOf = (directory: string, release: string): string =>
  join(directory, 'index', 'ubuntu', '20.04', 'x86_64', `${release}@${hexOf(sha256(release))}.json`)

const get = (index: KernelIndex, release: string) => index.get(record(release).reference, sha256(release))

describe('the kernel index', () => {
  it('finds a kernel by reference, release and content, also after it was opened again', async () => {
    const directory = await temporaryFolder()
    const written = await open(directory)
    await written.put(record('5.4'))
    await written.put(record('5.5', { btfSha256: sha256('5.4') }))
    for (const index of [written, await open(directory)]) {
      expect(get(index, '5.4')).toEqual(record('5.4'))
      expect(index.byRelease('5.4')).toEqual([record('5.4')])
      expect(index.byBtf(sha256('5.4')).map(({ reference }) => reference.release)).toEqual(['5.4', '5.5'])
      expect(index.byRelease('5.6')).toEqual([])
    }
  })

  it('forgets what a record said before it was replaced or removed', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    await index.put(record('5.4', { modules: [] }))
    expect(index.sourcesOf(sha256('module'))).toEqual([])
    await index.remove(record('5.4'))
    await index.remove(record('5.4'))
    expect(index.list()).toEqual([])
    expect((await open(directory)).list()).toEqual([])
  })

  it('writes the last of many changes, in whatever order they came', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await Promise.all(Array.from({ length: 50 }, (_, i) => index.put(record('5.4', { types: i }))))
    expect(get(await open(directory), '5.4')?.types).toBe(49)
  })

  it('notes a use in memory at once, and on disk now and then', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    index.touch(record('5.4'))
    await index.close()
    const used = get(index, '5.4')?.lastUsed ?? ''
    expect(Date.parse(used)).toBeGreaterThan(Date.parse(YEAR_2020))
    const again = await open(directory)
    expect(get(again, '5.4')?.lastUsed).toBe(used)
    const before = await readFile(fileOf(directory, '5.4'), 'utf8')
    index.touch(record('5.4'))
    index.touch(record('5.9'))
    await index.close()
    expect(await readFile(fileOf(directory, '5.4'), 'utf8')).toBe(before)
  })

  it('opens with 500 kernels, in the order of their names', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await Promise.all(Array.from({ length: 500 }, (_, i) => index.put(record(`5.4.0-${i}`))))
    const opened = await open(directory)
    const names = opened.list().map(({ reference }) => reference.release)
    expect(names).toHaveLength(500)
    expect(names).toEqual([...names].sort())
  })

  it('answers from memory when its files are gone, and writes the next one', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    await rm(directory, { recursive: true })
    expect(get(index, '5.4')).toBeDefined()
    await index.put(record('5.5'))
    expect((await open(directory)).list().map(({ reference }) => reference.release)).toEqual(['5.5'])
  })
})

describe('what another process writes', () => {
  it('is found by who adds a row of its reference, and nothing else is looked for', async () => {
    const directory = await temporaryFolder()
    const one = await open(directory)
    const other = await open(directory)
    for (const release of ['5.4', '5.5']) await other.put(record(release))
    expect(await one.learnRows(record('5.4').reference)).toBe(true)
    expect(await one.learnRows(record('5.4').reference)).toBe(false)
    expect(one.list()).toEqual([record('5.4')])
    await expect.poll(() => one.learn({ release: '5.5' })).toBe(true)
  })

  it('is found by its whole reference at once, and by its release', async () => {
    const directory = await temporaryFolder()
    const [one, other] = [await open(directory), await open(directory)]
    await other.put(record('5.4'))
    await other.put(record('5.5'))
    expect(get(one, '5.4')).toBeUndefined()
    expect(await one.learn(record('5.4').reference)).toBe(true)
    expect(get(one, '5.4')).toEqual(record('5.4'))
    await expect.poll(() => one.learn({ release: '5.5' })).toBe(true)
    expect(one.byRelease('5.5')).toEqual([record('5.5')])
    expect(await one.learn(record('5.6').reference)).toBe(false)
    expect(await one.learn({ release: '5.6' })).toBe(false)
  })

  it('is seen by a process that watches, beside what it knew of the same name', async () => {
    const directory = await temporaryFolder()
    const [one, other] = [await open(directory, { watchMs: 20 }), await open(directory)]
    await one.put(record('5.4'))
    await other.put(record('5.4', { btfSha256: sha256('other') }))
    await expect.poll(() => one.named(record('5.4').reference)).toHaveLength(2)
    await other.put(record('5.4', { btfSha256: sha256('third') }))
    await expect.poll(() => one.byRelease('5.4')).toHaveLength(3)
  })

  it('of one row at one moment is merged, so that neither loses a module', async () => {
    const directory = await temporaryFolder()
    const [one, other] = [await open(directory, { watchMs: 20 }), await open(directory, { watchMs: 20 })]
    const [module] = record('5.4').modules
    if (module === undefined) throw new Error('the record has a module')
    await Promise.all([
      one.put(record('5.4', { modules: [{ ...module, name: 'a' }] })), other.put(record('5.4', { modules: [{ ...module, name: 'b' }] }))
    ])
    for (const index of [one, other]) await expect.poll(() => get(index, '5.4')?.modules.map(({ name }) => name).sort()).toEqual(['a', 'b'])
    await expect.poll(async () => get(await open(directory), '5.4')?.modules.map(({ name }) => name).sort()).toEqual(['a', 'b'])
  })

  it('by a version that kept one file for each name is read, and moved when it is next written', async () => {
    const directory = await temporaryFolder()
    const single = join(directory, 'index', 'ubuntu', '20.04', 'x86_64', '5.4.json')
    await mkdir(dirname(single), { recursive: true })
    await writeFile(single, serializeRecord(record('5.4')))
    const index = await open(directory)
    expect(get(index, '5.4')).toEqual(record('5.4'))
    await index.put(record('5.4', { btfSha256: sha256('other') }))
    expect(await readdir(dirname(single))).toHaveLength(2)
    await index.put(record('5.4', { types: 7 }))
    expect((await readdir(dirname(single))).includes('5.4.json')).toBe(false)
    expect((await open(directory)).byRelease('5.4')).toHaveLength(2)
  })

  it('is not believed where a byte of it is wrong, and is known as what it was', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    await writeFile(fileOf(directory, '5.4'), serializeRecord(record('5.4')).replace('120000', '120001'))
    expect(await index.learn(record('5.4').reference)).toBe(false)
    expect(get(index, '5.4')).toEqual(record('5.4'))
    expect((await open(directory)).list()).toEqual([])
  })

  it('is not announced as put here', async () => {
    const directory = await temporaryFolder()
    const announced: string[] = []
    const elsewhere = {
      find: async ({ release }: KernelQuery) => release === '5.5' ? [record('5.5')] : [],
      offer: ({ reference }: KernelRecord) => { announced.push(reference.release) }
    }
    const [one, other] = [await open(directory, { elsewhere }), await open(directory)]
    await other.put(record('5.4'))
    await one.learn(record('5.4').reference)
    await one.learn(record('5.5').reference)
    await one.put(record('5.6'))
    expect(announced).toEqual(['5.6'])
    expect((await open(directory)).list()).toHaveLength(3)
  })
})

describe('content', () => {
  it('is known by all who supplied it, as BTF of a kernel or of a module', async () => {
    const index = await open(await temporaryFolder())
    const module = { name: 'm', btfSha256: sha256('5.4'), bytes: 1, source: 'import', provenance: { by: 'operator', at: YEAR_2020 } }
    await index.put(record('5.4'))
    await index.put(record('5.5', { source: 'btfhub', modules: [module] }))
    expect([...index.sourcesOf(sha256('5.4'))].sort()).toEqual(['import', 'upload'])
    expect(index.sourcesOf(sha256('5.5'))).toEqual(['btfhub'])
    expect(index.sourcesOf(sha256('module'))).toEqual(['upload'])
    await index.remove(record('5.5'))
    expect(index.sourcesOf(sha256('5.5'))).toEqual([])
    expect(index.sourcesOf(sha256('5.4'))).toEqual(['upload'])
  })
})
