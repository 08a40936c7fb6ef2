import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openKernelIndex, type KernelIndex, type KernelIndexOptions } from '../../../src/kernels/kernel-index.js'
import { serializeRecord } from '../../../src/kernels/kernel-record.js'
import { sha256 } from '../../../src/store/sha256.js'
import { temporaryFolder } from '../service/lab.js'
import { recordOf as record, YEAR_2020 } from './records.js'

async function open (directory: string, options: Partial<KernelIndexOptions> = {}): Promise<KernelIndex> {
  const index = await openKernelIndex({ directory, ...options })
  onTestFinished(() => index.close())
  return index
}

const fileOf = (directory: string, release: string): string => join(directory, 'index', 'ubuntu', '20.04', 'x86_64', `${release}.json`)

describe('the kernel index', () => {
  it('finds a kernel by reference, release and content, also after it was opened again', async () => {
    const directory = await temporaryFolder()
    const written = await open(directory)
    await written.put(record('5.4'))
    await written.put(record('5.5', { btfSha256: sha256('5.4') }))
    for (const index of [written, await open(directory)]) {
      expect(index.get(record('5.4').reference)).toEqual(record('5.4'))
      expect(index.byRelease('5.4')).toEqual([record('5.4')])
      expect(index.byBtf(sha256('5.4')).map(({ reference }) => reference.release)).toEqual(['5.4', '5.5'])
      expect(index.byRelease('5.6')).toEqual([])
    }
  })

  it('forgets what a record said before it was replaced or removed', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    await index.put(record('5.4', { btfSha256: sha256('new') }))
    expect(index.byBtf(sha256('5.4'))).toEqual([])
    expect(index.byBtf(sha256('new'))).toHaveLength(1)
    await index.remove(record('5.4').reference)
    await index.remove(record('5.4').reference)
    expect(index.list()).toEqual([])
    expect((await open(directory)).list()).toEqual([])
  })

  it('writes the last of many changes, in whatever order they came', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await Promise.all(Array.from({ length: 50 }, (_, i) => index.put(record('5.4', { types: i }))))
    expect((await open(directory)).get(record('5.4').reference)?.types).toBe(49)
  })

  it('notes a use in memory at once, and on disk now and then', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    index.touch(record('5.4').reference)
    await index.close()
    const used = index.get(record('5.4').reference)?.lastUsed ?? ''
    expect(Date.parse(used)).toBeGreaterThan(Date.parse(YEAR_2020))
    const again = await open(directory)
    expect(again.get(record('5.4').reference)?.lastUsed).toBe(used)
    const before = await readFile(fileOf(directory, '5.4'), 'utf8')
    index.touch(record('5.4').reference)
    index.touch(record('5.9').reference)
    await index.close()
    expect(await readFile(fileOf(directory, '5.4'), 'utf8')).toBe(before)
  })

  it('opens with 500 kernels in well under two seconds, in the order of their names', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await Promise.all(Array.from({ length: 500 }, (_, i) => index.put(record(`5.4.0-${i}`))))
    const started = performance.now()
    const opened = await open(directory)
    expect(performance.now() - started).toBeLessThan(1500)
    const names = opened.list().map(({ reference }) => reference.release)
    expect(names).toHaveLength(500)
    expect(names).toEqual([...names].sort())
  })

  it('answers from memory when its files are gone, and writes the next one', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    await rm(directory, { recursive: true })
    expect(index.get(record('5.4').reference)).toBeDefined()
    await index.put(record('5.5'))
    expect((await open(directory)).list().map(({ reference }) => reference.release)).toEqual(['5.5'])
  })
})

describe('what another process writes', () => {
  it('is found by its whole reference at once, and by its release', async () => {
    const directory = await temporaryFolder()
    const [one, other] = [await open(directory), await open(directory)]
    await other.put(record('5.4'))
    await other.put(record('5.5'))
    expect(one.get(record('5.4').reference)).toBeUndefined()
    expect(await one.learn(record('5.4').reference)).toBe(true)
    expect(one.get(record('5.4').reference)).toEqual(record('5.4'))
    await expect.poll(() => one.learn({ release: '5.5' })).toBe(true)
    expect(one.byRelease('5.5')).toEqual([record('5.5')])
    expect(await one.learn(record('5.6').reference)).toBe(false)
    expect(await one.learn({ release: '5.6' })).toBe(false)
  })

  it('is seen by who watches, also where it replaces what was known', async () => {
    const directory = await temporaryFolder()
    const [one, other] = [await open(directory, { watchMs: 20 }), await open(directory)]
    await one.put(record('5.4'))
    await other.put(record('5.4', { btfSha256: sha256('other') }))
    await expect.poll(() => one.get(record('5.4').reference)?.btfSha256).toBe(sha256('other'))
    expect(one.byBtf(sha256('5.4'))).toEqual([])
    await other.put(record('5.4', { btfSha256: sha256('third') }))
    await expect.poll(() => one.byBtf(sha256('third'))).toHaveLength(1)
  })

  it('is not believed where a byte of it is wrong, and is known as what it was', async () => {
    const directory = await temporaryFolder()
    const index = await open(directory)
    await index.put(record('5.4'))
    await writeFile(fileOf(directory, '5.4'), serializeRecord(record('5.4')).replace('120000', '120001'))
    expect(await index.learn(record('5.4').reference)).toBe(false)
    expect(index.get(record('5.4').reference)).toEqual(record('5.4'))
    expect((await open(directory)).list()).toEqual([])
  })

  it('is not announced as put here', async () => {
    const directory = await temporaryFolder()
    const announced: string[] = []
    const elsewhere = async () => [record('5.5')]
    const [one, other] = [await open(directory, { elsewhere, onPut: ({ reference }) => announced.push(reference.release) }), await open(directory)]
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
    await index.remove(record('5.5').reference)
    expect(index.sourcesOf(sha256('5.5'))).toEqual([])
    expect(index.sourcesOf(sha256('5.4'))).toEqual(['upload'])
  })
})
