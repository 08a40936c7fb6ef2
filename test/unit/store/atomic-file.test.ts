import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeAtomically, writeDurably } from '../../../src/store/atomic-file.js'
import { temporaryFolder } from '../service/lab.js'

describe('a file that is written whole or not at all', () => {
  it('is whole where processes of the same id, in containers that share a volume, write it at once', async () => {
    const directory = await temporaryFolder()
    const writers = ['a', 'b', 'c'].map(letter =>
      fork(join(import.meta.dirname, 'same-pid-writer.mjs'), [directory, letter], { execArgv: [] }))
    await Promise.all(writers.map(writer => once(writer, 'message')))
    const done = writers.map(async writer => {
      writer.send('go')
      const [failures] = await once(writer, 'message')
      await once(writer, 'exit')
      return failures as unknown
    })
    expect(await Promise.all(done)).toEqual([[], [], []])
    expect((await readdir(directory)).sort()).toEqual(['0', '1', '2', '3'])
    for (const name of await readdir(directory)) {
      expect(await readFile(join(directory, name), 'latin1')).toMatch(/^(a{400000}|b{400000}|c{400000})$/)
    }
  })

  it.each([
    ['that is flushed', writeDurably], ['that can be made again', writeAtomically]
  ])('%s takes the place of the one before, and leaves nothing beside it', async (_what, write) => {
    const path = join(await temporaryFolder(), 'a', 'b', 'file')
    await write(path, 'first')
    const { ino } = await stat(path)
    await Promise.all(['second', 'third'].map(text => write(path, text)))
    expect(['second', 'third']).toContain(await readFile(path, 'utf8'))
    expect((await stat(path)).ino).not.toBe(ino)
    expect(await readdir(join(path, '..'))).toEqual(['file'])
  })
})
