import { describe, expect, it } from 'vitest'
import { createLayoutKeys } from '../../../src/check/layout-keys.js'
import type { CheckedObject, KernelContent } from '../../../src/check/types.js'
import type { Asking } from '../../../src/kernels/layout-tables.js'
import { sha256, type Sha256 } from '../../../src/store/sha256.js'
import { NO_TABLE } from '../../../src/workers/protocol.js'

const asking: Asking = { caller: '', signal: new AbortController().signal }
const objectOf = (name: string): CheckedObject => ({ sha256: sha256(name), bytes: Buffer.from(name) })
const kernelOf = (name: string, release = '6.1.0'): KernelContent => ({ btf: sha256(name), modules: [], release })

/** Keys by tables that say of each kernel what `vectorOf` does. */
function setUp (vectorOf: (object: Sha256, btf: Sha256) => string | undefined, maxBytes = 1 << 20) {
  const asked: Array<readonly [objects: number, kernels: number]> = []
  const used: Sha256[] = []
  const keys = createLayoutKeys({
    maxBytes,
    tables: {
      async vectors (objects, hashes) {
        asked.push([objects.length, hashes.length])
        const found = hashes.flatMap(btf => objects.map(({ objectSha256 }) => vectorOf(objectSha256, btf)))
        const vectors = [...new Set(found)].filter(vector => vector !== undefined)
        return { vectors, places: Int32Array.from(found, vector => vector === undefined ? NO_TABLE : vectors.indexOf(vector)) }
      },
      noteUse (btf) { used.push(btf) }
    }
  })
  const of = async (...wanted: Parameters<typeof keys.of>) =>
    Array.from(await keys.of(...wanted), ({ keys, places }) => Array.from(places, place => keys[place]))
  return { asked, used, keys: { ...keys, of, get bytes () { return keys.bytes } } }
}

describe('keys by layout', () => {
  const [a, b] = [objectOf('a'), objectOf('b')]
  const [one, two, old] = [kernelOf('one'), kernelOf('two'), kernelOf('old', '4.19.0')]

  it('are the same for kernels that are laid out alike and judge alike, and others for all else', async () => {
    const { keys } = setUp((object, btf) => object === a.sha256 || btf === one.btf ? 'x' : 'y')
    const [[first, second, third] = [], [other, another] = []] = await keys.of([a, b], [one, two, old], asking)
    expect(second).toEqual(first)
    expect(third?.scope).toBe(first?.scope)
    expect(third?.text).not.toBe(first?.text)
    expect(another?.scope).not.toBe(other?.scope)
  })

  it('are asked for once, and again only for kernels and objects that are new', async () => {
    const { asked, keys } = setUp(() => 'x')
    await keys.of([a], [one, two], asking)
    await keys.of([a], [two, one], asking)
    expect(asked).toEqual([[1, 2]])
    await keys.of([a], [one, old], asking)
    await keys.of([a, b], [one], asking)
    expect(asked).toEqual([[1, 2], [1, 1], [1, 1]])
  })

  it('are those of the content where a kernel has no table, which may be there the next time, or cannot be compared', async () => {
    const tables = new Map<Sha256, string>()
    const { keys } = setUp((_object, btf) => tables.get(btf))
    const of = async (): Promise<boolean> => (await keys.of([a], [one], asking))[0]?.[0]?.scope === keys.alone(a, one).scope
    expect(await of()).toBe(true)
    tables.set(one.btf, 'x')
    expect(await of()).toBe(false)
    const { keys: others } = setUp(() => '')
    expect(await others.of([a], [one], asking)).toEqual([[others.alone(a, one)]])
  })

  it('are those of the content with modules', async () => {
    const { asked, keys } = setUp(() => 'x')
    const kernel = { ...one, modules: [sha256('module')] }
    expect(await keys.of([a], [kernel], asking)).toEqual([[keys.alone(a, kernel)]])
    expect(asked).toEqual([])
  })

  it('are those of the content once kernels of a layout turn out not to have one outcome', async () => {
    const { keys } = setUp(() => 'x')
    const [[before] = []] = await keys.of([a], [one], asking)
    keys.noteAlone(a, before?.scope ?? '')
    expect(await keys.of([a, b], [one, two], asking)).toEqual([[keys.alone(a, one), keys.alone(a, two)], [before, before]])
  })

  it('tell which tables they were made of, each once for the checks of a moment', async () => {
    const { used, keys } = setUp((_object, btf) => btf === two.btf ? undefined : 'x')
    await keys.of([a], [one, two, old], asking)
    await keys.of([b], [one, two, old], asking)
    expect(used).toEqual([one.btf, old.btf])
  })

  it('are as many as there are kernels where each verdict is of the very release, of checks that share a list too', async () => {
    const object = { ...a, bytes: Buffer.from('\0LINUX_KERNEL_VERSION\0') }
    const kernels = Array.from({ length: 5000 }, (_, i) => kernelOf(`k${i}`, `6.${Math.floor(i / 250)}.${i % 250}`))
    const { keys } = setUp(() => 'x')
    for (let i = 0; i < 3; i++) {
      const [of = []] = await keys.of([object], kernels, asking)
      expect(new Set(of.map(key => key?.text)).size).toBe(5000)
      expect(of[4999]?.text).toContain('6.19.249')
    }
  })

  it('stay within their memory', async () => {
    const { asked, keys } = setUp((_object, btf) => btf, 20_000)
    const kernels = Array.from({ length: 30 }, (_, i) => kernelOf(`k${i}`))
    for (let i = 0; i < 10; i++) await keys.of([objectOf(`o${i}`)], kernels, asking)
    expect(keys.bytes).toBeLessThan(40_000)
    await keys.of([objectOf('o0')], kernels, asking)
    expect(asked).toHaveLength(11)
  })
})
