import { createHook } from 'node:async_hooks'
import { mkdirSync } from 'node:fs'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createIndexRows } from '../../../src/kernels/index-rows.js'
import { openKernelIndex } from '../../../src/kernels/kernel-index.js'
import { recordPath, serializeRecord, type KernelRecord } from '../../../src/kernels/kernel-record.js'
import type { Sha256 } from '../../../src/store/sha256.js'
import { temporaryFolder } from '../service/lab.js'
import { recordOf } from './records.js'

const release = (serial: number): string => `5.4.0-${serial}-generic`

/** Writes the files of so many kernels, as uploads left them an hour ago. */
async function folderOf (names: number): Promise<string> {
  const directory = await temporaryFolder()
  const index = join(directory, 'index')
  const records = Array.from({ length: names }, (_, i) => recordOf(release(i), { modules: [] }))
  const folder = dirname(recordPath(index, records[0] ?? expect.fail()))
  await mkdir(folder, { recursive: true })
  for (let at = 0; at < names; at += 100) {
    await Promise.all(records.slice(at, at + 100).map(record => writeFile(recordPath(index, record), serializeRecord(record))))
  }
  const hourAgo = Date.now() / 1000 - 3600
  await utimes(folder, hourAgo, hourAgo)
  return directory
}

/** Opens and closes the index. @returns how often the file system was asked until it was open, by this thread */
async function start (directory: string, names: number): Promise<number> {
  let requests = 0
  const hook = createHook({ init (_id, type) { if (type.startsWith('FSREQ')) requests++ } }).enable()
  const index = await openKernelIndex({ directory, keepsSnapshot: true })
  hook.disable()
  expect(index.list()).toHaveLength(names)
  await index.close()
  return requests
}

describe('a start with many names', () => {
  it('reads each file once, and none of them again the next time', async () => {
    const [few, many] = [await folderOf(600), await folderOf(1800)]
    const first = [await start(few, 600), await start(many, 1800)] as const
    expect(first[0]).toBeGreaterThan(600)
    expect(first[1]).toBeLessThan(3.5 * first[0])
    for (const [directory, names] of [[few, 600], [many, 1800]] as const) expect(await start(directory, names)).toBeLessThan(100)
  })

  it('of more versions than any list has sees those of the last too, so that a release that two have is not guessed', async () => {
    const directory = await temporaryFolder()
    const index = join(directory, 'index')
    for (let i = 0; i < 4200; i++) mkdirSync(join(index, 'ubuntu', `v${String(i).padStart(4, '0')}`), { recursive: true })
    for (const distroVersion of ['v0000', 'v4199']) {
      await mkdir(join(index, 'ubuntu', distroVersion, 'x86_64'))
      const record = recordOf(release(1), { modules: [] })
      const moved = { ...record, reference: { ...record.reference, distroVersion } }
      await writeFile(recordPath(index, moved), serializeRecord(moved))
    }
    const opened = await openKernelIndex({ directory })
    expect(opened.byRelease(release(1)).map(({ reference }) => reference.distroVersion)).toEqual(['v0000', 'v4199'])
    await opened.close()
  }, 600_000)

  it('takes as many steps for each of 20,000 as for the first, whether they share a release, a content, or nothing', () => {
    const known = recordOf(release(0), { modules: [] })
    const named = (i: number): KernelRecord => ({ ...known, reference: { ...known.reference, release: release(i) } })
    const hash = (i: number): Sha256 => `sha256:${i.toString(16).padStart(64, '0')}`
    const shapes: ReadonlyArray<readonly [what: string, of: (i: number) => KernelRecord]> = [
      ['nothing', i => ({ ...named(i), btfSha256: hash(i) })],
      ['a content', named],
      ['a release', i => ({ ...known, btfSha256: hash(i) })]
    ]
    for (const [what, of] of shapes) {
      const rows = createIndexRows()
      let reads = 0
      for (let i = 0; i < 20_000; i++) {
        const { reference, ...record } = of(i)
        rows.set({ ...record, get reference () { reads++; return reference } })
      }
      expect(reads, what).toBeLessThan(10 * 20_000)
      expect(rows.list()).toHaveLength(20_000)
      expect(reads, what).toBeLessThan(10 * 20_000) // the list too is of what is known by then
    }
  })
})
