import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeFolder } from '../../../src/store/folder.js'
import { temporaryFolder } from '../service/lab.js'

describe('makeFolder', () => {
  it('makes the folders above, too, and is content with those that are there', async () => {
    const folder = await temporaryFolder()
    for (const path of [folder, join(folder, 'a/b/c'), join(folder, 'a/b/d')]) {
      await makeFolder(path)
      expect(statSync(path).isDirectory()).toBe(true)
    }
  })

  it('may run many times at once', async () => {
    const folder = await temporaryFolder()
    await Promise.all(Array.from({ length: 50 }, (_, i) => makeFolder(join(folder, 'x/y/z', String(i % 5)))))
    expect(statSync(join(folder, 'x/y/z/4')).isDirectory()).toBe(true)
  })

  it.each([
    ['below a file', (folder: string) => join(folder, 'file/a/b'), 'ENOTDIR'],
    ['in the place of a file', (folder: string) => join(folder, 'file'), 'EEXIST'],
    ['where the system makes none', () => '/proc/corelo/a/b', 'ENOENT']
  ])('fails %s, and ends', async (_where, place, code) => {
    const folder = await temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    await expect(makeFolder(place(folder))).rejects.toMatchObject({ code })
  })
})
