import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ENGINE_CODE, engineBuild } from '../../../src/relocation/engine-build.js'
import { temporaryFolder } from '../service/lab.js'

const SOURCES = join(import.meta.dirname, '../../../src')

/** Imported by the code that decides what a result says, and yet of no influence on it. */
const WITHOUT_INFLUENCE = [
  'errors', // carries what others say
  'store', // hashes, and reads bytes that are verified by a hash which the result is kept under
  'formats', // finds BTF, by whose hash a result is kept
  'c-types', // writes types, which are made anew each time
  'min-btf' // makes BTF, which is made anew each time
]

/** What a source imports of others, but for their types alone, without an extension: by its path below `src`. */
function importsOf (path: string): string[] {
  const found = readFileSync(path, 'utf8').matchAll(/^(?:import|export)(?! type)[^'"]*?'(\.[^']+)\.js'|import\('(\.[^']+)\.js'\)/gm)
  return [...found].map(([, fixed, lazy]) => relative(SOURCES, resolve(dirname(path), fixed ?? lazy ?? '')))
}

describe('a build of the engine', () => {
  it('is told from others by all code that decides what a result says', () => {
    const sources = ENGINE_CODE.folders.flatMap(folder =>
      readdirSync(join(SOURCES, folder), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()))
    const imported = new Set(sources.flatMap(({ parentPath, name }) => importsOf(join(parentPath, name))).map(path =>
      path.split('/')[0] ?? ''))
    const known = [...ENGINE_CODE.folders, ...ENGINE_CODE.files]
    expect([...imported].filter(name => !known.includes(name) && !WITHOUT_INFLUENCE.includes(name))).toEqual([])
    expect(WITHOUT_INFLUENCE.filter(name => !imported.has(name)), 'exceptions that nothing needs any more').toEqual([])
  })

  it('is known to the bundle, which is made of the same code', async () => {
    const bundle = join(import.meta.dirname, '../../../dist/bundle')
    const texts = readdirSync(bundle).filter(name => name.endsWith('.js')).map(name => readFileSync(join(bundle, name), 'utf8'))
    const build = await engineBuild(SOURCES)
    expect(texts.filter(text => text.includes(JSON.stringify(build)))).toHaveLength(1)
    expect(texts.filter(text => text.includes('BUNDLED_ENGINE_BUILD'))).toEqual([])
  })

  it('is another with another file of these, and the same with other types or code beside them', async () => {
    const root = await temporaryFolder()
    for (const folder of ENGINE_CODE.folders) await mkdir(join(root, folder, 'deeper'), { recursive: true })
    const builds = new Set([await engineBuild(root)])
    const places = [...ENGINE_CODE.folders.map(folder => join(folder, 'deeper', 'some.js')), ...ENGINE_CODE.files.map(name => `${name}.js`)]
    for (const place of places) {
      for (const text of ['', 'other']) {
        await writeFile(join(root, place), text)
        builds.add(await engineBuild(root))
      }
    }
    expect(builds.size).toBe(1 + 2 * places.length)
    await writeFile(join(root, 'limits.d.ts'), '')
    await writeFile(join(root, 'index.js'), '')
    builds.add(await engineBuild(root))
    expect(builds.size).toBe(1 + 2 * places.length)
  })
})
