import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openKernelIndex, type KernelIndex, type KernelIndexOptions } from '../../../src/kernels/kernel-index.js'
import type { KernelRecord } from '../../../src/kernels/kernel-record.js'
import { sha256 } from '../../../src/kernels/sha256.js'
import { temporaryFolder } from '../service/lab.js'

const YEAR_2020 = '2020-01-01T00:00:00.000Z'

function record (release: string, changes: Partial<KernelRecord> = {}): KernelRecord {
  return {
    reference: { distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release },
    btfSha256: sha256(release),
    bytes: 5_000_000,
    types: 120_000,
    source: 'upload',
    provenance: { by: 'node-1', at: YEAR_2020, kernelVersion: '#1 SMP' },
    firstSeen: YEAR_2020,
    lastUsed: YEAR_2020,
    modules: [{ name: 'nf_conntrack', btfSha256: sha256('module'), bytes: 100_000, source: 'upload', provenance: { by: 'node-1', at: YEAR_2020 } }],
    ...changes
  }
}

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
