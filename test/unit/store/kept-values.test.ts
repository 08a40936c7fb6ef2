import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openContentStore, type ContentStore } from '../../../src/store/content-store.js'
import { createKeptValues, type KeptValues, type KeptValuesOptions } from '../../../src/store/kept-values.js'
import { sha256 } from '../../../src/store/sha256.js'
import { temporaryFolder } from '../service/lab.js'

const OBJECT = sha256('object')
const KEY = new Uint8Array(32).fill(1)
const OTHER_KEY = new Uint8Array(32).fill(2)
const value = (serial: number, length = 100): Uint8Array => new Uint8Array(length).fill(serial)

function open (directory: string, options: Partial<KeptValuesOptions> = {}): { store: ContentStore, values: KeptValues } {
  const store = openContentStore({ directory })
  onTestFinished(() => store.close())
  return { store, values: createKeptValues({ store, sealKeys: [KEY], engine: '1', memoryBytes: 1 << 20, ...options }) }
}

/** What is on disk for whoever opens the folder now. */
async function found (directory: string, options: Partial<KeptValuesOptions> = {}): Promise<string[]> {
  const { store, values } = open(directory, options)
  const kept = await values.of(OBJECT)
  await store.close()
  return [...kept].map(([key, bytes]) => `${key} ${bytes[0]} ${bytes.length}`)
}

async function keepAll (directory: string, kept: Readonly<Record<string, Uint8Array>>): Promise<ContentStore> {
  const { store, values } = open(directory)
  for (const [key, bytes] of Object.entries(kept)) values.keep(OBJECT, key, bytes)
  await store.close()
  return store
}

describe('what is kept of an object', () => {
  it('is there at once, and for the next process', async () => {
    const directory = await temporaryFolder()
    const { store, values } = open(directory)
    expect([...await values.of(OBJECT)]).toEqual([])
    values.keep(OBJECT, 'a', value(1))
    expect((await values.of(OBJECT)).get('a')).toEqual(value(1))
    values.keep(OBJECT, 'b', value(2, 0))
    values.keep(OBJECT, 'a', value(3))
    await store.close()
    expect((await found(directory)).sort()).toEqual(['a 3 100', 'b undefined 0'])
  })

  it('is added to what another process has put there', async () => {
    const directory = await temporaryFolder()
    const [first, second] = [open(directory), open(directory)]
    await Promise.all([first.values.of(OBJECT), second.values.of(OBJECT)])
    first.values.keep(OBJECT, 'a', value(1))
    await first.store.close()
    second.values.keep(OBJECT, 'b', value(2))
    await second.store.close()
    expect(await found(directory)).toEqual(['a 1 100', 'b 2 100'])
  })

  it('counts for nothing where another engine or another installation made it, and is replaced', async () => {
    const directory = await temporaryFolder()
    await keepAll(directory, { a: value(1) })
    expect(await found(directory, { engine: '2' })).toEqual([])
    const { store, values } = open(directory, { engine: '2' })
    values.keep(OBJECT, 'b', value(2))
    await store.close()
    expect(store.stats().damaged).toBe(0)
    expect(await found(directory, { engine: '2' })).toEqual(['b 2 100'])
    expect(await found(directory, { engine: '2', sealKeys: [OTHER_KEY] })).toEqual([])
  })

  it('is believed when an earlier key sealed it that is still there', async () => {
    const directory = await temporaryFolder()
    await keepAll(directory, { a: value(1) })
    expect(await found(directory, { sealKeys: [OTHER_KEY, KEY] })).toEqual(['a 1 100'])
  })

  it('is not that of another object whose file was put in its place', async () => {
    const directory = await temporaryFolder()
    const store = await keepAll(directory, { a: value(1) })
    const other = sha256('other')
    await mkdir(dirname(store.pathOf('result', other)), { recursive: true })
    await writeFile(store.pathOf('result', other), await readFile(store.pathOf('result', OBJECT)))
    const after = open(directory)
    expect([...await after.values.of(other)]).toEqual([])
    expect(after.store.stats().damaged).toBe(1)
  })

  it('is all or nothing with any one of its bits changed or its end cut', async () => {
    const directory = await temporaryFolder()
    const store = await keepAll(directory, { a: value(1, 8), b: value(2, 8) })
    const whole = await readFile(store.pathOf('result', OBJECT))
    const seen = new Set<string>()
    const reading: KeptValuesOptions['store'] = {
      readDerived: async () => changed, rewriteBehind: () => false, discardDamaged: async () => {}, noteUse: () => {}
    }
    const read = async (): Promise<ReadonlyMap<string, Uint8Array>> =>
      await createKeptValues({ store: reading, sealKeys: [KEY], engine: '1', memoryBytes: 1 << 20 }).of(OBJECT)
    let changed = whole
    expect([...(await read()).keys()]).toEqual(['a', 'b'])
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      changed = Buffer.from(whole)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      for (const key of (await read()).keys()) seen.add(key)
    }
    for (let length = 0; length < whole.length; length++) {
      changed = whole.subarray(0, length)
      for (const key of (await read()).keys()) seen.add(key)
    }
    expect([...seen]).toEqual([])
  })

  it('is bounded: the last values stay, and none that is too large is kept', async () => {
    const directory = await temporaryFolder()
    const { store, values } = open(directory)
    for (let i = 0; i < 12; i++) values.keep(OBJECT, `${i}`, value(i, 100_000))
    values.keep(OBJECT, 'large', value(1, 300_000))
    await store.close()
    expect((await found(directory)).map(text => text.split(' ')[0])).toEqual(['2', '3', '4', '5', '6', '7', '8', '9', '10', '11'])
    expect((await stat(store.pathOf('result', OBJECT))).size).toBeLessThanOrEqual(1 << 20)
  })

  it('is in memory only where the folder takes no writes', async () => {
    const directory = await temporaryFolder()
    await writeFile(`${directory}/content`, '')
    const { store, values } = open(directory)
    await values.of(OBJECT)
    values.keep(OBJECT, 'a', value(1))
    await store.close()
    expect((await values.of(OBJECT)).get('a')).toEqual(value(1))
    expect(await found(directory)).toEqual([])
  })

  it('is read once for all who ask at the same time, and again after a read that failed', async () => {
    const { store } = open(await temporaryFolder())
    let reads = 0
    const values = createKeptValues({
      store: {
        ...store,
        async readDerived () {
          if (++reads === 1) throw new Error('a read that fails')
          return { state: 'absent' }
        }
      },
      sealKeys: [KEY],
      engine: '1',
      memoryBytes: 1 << 20
    })
    const both = await Promise.allSettled([values.of(OBJECT), values.of(OBJECT)])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(reads).toBe(1)
    expect([...await values.of(OBJECT)]).toEqual([])
    expect(reads).toBe(2)
  })

  it('is neither read nor written without a key to seal it with', async () => {
    const directory = await temporaryFolder()
    const { store, values } = open(directory, { sealKeys: [] })
    values.keep(OBJECT, 'a', value(1))
    expect([...await values.of(OBJECT)]).toEqual([])
    await store.close()
    expect(await found(directory)).toEqual([])
  })
})
