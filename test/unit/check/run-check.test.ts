import { describe, expect, it } from 'vitest'
import { cellsIn, type Cell, type Cells } from '../../../src/check/cells.js'
import { createContentKeys, placeKeys, type OutcomeKey, type OutcomeKeys } from '../../../src/check/outcome-keys.js'
import { createOutcomes } from '../../../src/check/outcomes.js'
import { runCheck, type RunOptions } from '../../../src/check/run-check.js'
import { createStateOutcomes } from '../../../src/check/state-outcomes.js'
import type { CheckedKernel, NamedObject } from '../../../src/check/types.js'
import { AppError } from '../../../src/errors.js'
import { sha256 } from '../../../src/store/sha256.js'
import type { CheckRun } from '../../../src/workers/protocol.js'

const LOADS = JSON.stringify({ state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 })

const FOUND = { json: LOADS, isOfLayout: true, isOfRelease: true }

/** Of kernels that lay out all alike, and whose verifiers judge alike. */
const LAYOUT = { scope: 'layout', text: 'layout of one age' }

const objectNamed = (name: string): NamedObject => ({ name, sha256: sha256(name), bytes: Buffer.from(name) })
const kernel = (name: string, btf = name, release = '6.1.0'): CheckedKernel =>
  ({ name, content: { btf: sha256(btf), modules: [], release } })
const kernels = (count: number): CheckedKernel[] => Array.from({ length: count }, (_, i) => kernel(`k${i}`))

const nextTurn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

/** A run whose relocations are told, each with the objects that it was for, and answered as `answer` says. */
function setUp (options: Partial<RunOptions> & { answer?: (runs: readonly CheckRun[]) => Promise<void> } = {}) {
  const asked: Array<readonly CheckRun[]> = []
  const leaving = new AbortController()
  const cells = runCheck({
    objects: [objectNamed('a')],
    kernels: kernels(3),
    fetches: [],
    keys: createContentKeys(),
    outcomes: createOutcomes(1 << 20),
    outcomeOf: createStateOutcomes(),
    concurrency: 2,
    caller: 'a caller',
    signal: leaving.signal,
    async relocate (_content, runs) {
      asked.push(runs)
      await options.answer?.(runs)
      return { state: 'ready', outcomes: runs.map(({ releases }) => releases.map(() => FOUND)) }
    },
    ...options
  })
  return { asked, leaving, cells }
}

async function all (cells: Cells): Promise<Cell[]> {
  const found: Cell[] = []
  for await (const batch of cells) found.push(...cellsIn(batch))
  return found
}

describe('a check over kernels', () => {
  it('lets others have the event loop between any two of its rows', async () => {
    let pauses = 0
    const pause = async (): Promise<void> => { pauses++ }
    await all(setUp({ kernels: kernels(50), pause }).cells)
    expect(pauses).toBeGreaterThanOrEqual(50)
  })

  it('gives one row for each object on each kernel', async () => {
    const objects = [objectNamed('a'), objectNamed('b')]
    const found = await all(setUp({ objects, kernels: kernels(600) }).cells)
    expect(new Set(found.map(({ object, kernel }) => `${object.name} ${kernel}`)).size).toBe(1200)
  })

  it('relocates once for kernels of one content, and once more only where the verifier is another', async () => {
    const { asked, cells } = setUp({ kernels: [kernel('one', 'x', '6.1.1'), kernel('two', 'x', '6.1.2'), kernel('old', 'x', '4.19.0')] })
    expect((await all(cells)).length).toBe(3)
    expect(asked.map(runs => runs.map(({ releases }) => releases))).toEqual([[['6.1.1', '4.19.0']]])
  })

  it('knows what it found for a BTF once there is a table of its layouts', async () => {
    const [object, outcomes, contents] = [objectNamed('a'), createOutcomes(1 << 20), createContentKeys()]
    await all(setUp({ objects: [object], outcomes, kernels: [kernel('one', 'x')] }).cells)
    const keys: OutcomeKeys = { ...contents, of: (objects, listed) => objects.map(() => placeKeys(listed.map(() => LAYOUT))) }
    const { asked, cells } = setUp({ objects: [object], outcomes, keys, kernels: [kernel('one', 'x')] })
    expect((await all(cells)).length).toBe(1)
    expect(asked).toEqual([])
  })

  it('tells releases apart where the object names LINUX_KERNEL_VERSION', async () => {
    const object = { ...objectNamed('a'), bytes: Buffer.from('\0LINUX_KERNEL_VERSION\0') }
    const { asked, cells } = setUp({ objects: [object], kernels: [kernel('one', 'x', '6.1.1'), kernel('two', 'x', '6.1.2')] })
    await all(cells)
    expect(asked.flat().flatMap(({ releases }) => releases)).toEqual(['6.1.1', '6.1.2'])
  })

  it('begins no work while its rows are not taken, and none after the signal', async () => {
    const { asked, leaving, cells } = setUp({ kernels: kernels(100) })
    await cells.next()
    const begun = asked.length
    expect(begun).toBeLessThanOrEqual(4)
    await nextTurn()
    expect(asked.length).toBe(begun)
    leaving.abort(new AppError('request_timeout', 'gone'))
    await expect(all(cells)).rejects.toThrow('gone')
    expect(asked.length).toBe(begun)
  })

  it('ends at the signal although a relocation goes on', async () => {
    let begin = (): void => {}
    const begun = new Promise<void>(resolve => { begin = resolve })
    const { leaving, cells } = setUp({
      answer: async () => {
        begin()
        await new Promise(() => {})
      }
    })
    const ended = expect(all(cells)).rejects.toThrow('gone')
    await begun
    leaving.abort(new AppError('request_timeout', 'gone'))
    await ended
  })

  it('relocates every kernel by itself once the first shows that kernels of one layout do not have one outcome', async () => {
    const contents = createContentKeys()
    const alone = new Set<string>()
    const keys: OutcomeKeys = {
      ...contents,
      of: (objects, all) => objects.map(object =>
        placeKeys(all.map(content => alone.has('layout') ? contents.alone(object, content) : LAYOUT))),
      noteAlone (_object, scope) { alone.add(scope) }
    }
    const options: Partial<RunOptions> = {
      keys,
      outcomes: createOutcomes(1 << 20),
      kernels: [kernel('one'), kernel('two'), kernel('same', 'two'), kernel('three')],
      relocate: async ({ btf }, runs) => ({
        state: 'ready',
        outcomes: runs.map(({ releases }) =>
          releases.map(() => ({ ...FOUND, json: LOADS.replace('null', JSON.stringify(btf)), isOfLayout: false })))
      })
    }
    const expected = { one: sha256('one'), two: sha256('two'), same: sha256('two'), three: sha256('three') }
    for (let i = 0; i < 2; i++) {
      const found = await all(setUp(options).cells)
      expect(Object.fromEntries(found.map(cell => [cell.kernel, cell.outcome.reason]))).toEqual(expected)
    }
    expect(alone).toEqual(new Set(['layout']))
  })

  it('lets one object that takes too long decide about itself alone', async () => {
    const objects = [objectNamed('slow'), objectNamed('good')]
    const { cells } = setUp({
      objects,
      kernels: kernels(1),
      answer: async runs => {
        if (runs.some(({ objectSha256 }) => objectSha256 === sha256('slow'))) throw new AppError('deadline_exceeded', 'It took too long.')
      }
    })
    const found = await all(cells)
    expect(Object.fromEntries(found.map(({ object, outcome: { state, reason } }) => [object.name, [state, reason]])))
      .toEqual({ slow: ['error', 'It took too long.'], good: ['loads', null] })
  })

  it('relocates for one kernel of a layout where every verifier gives the same outcome, also for kernels that come later', async () => {
    const contents = createContentKeys()
    const ofLayout = (release: string): OutcomeKey => ({ scope: 'layout', text: `layout ${release}` })
    const keys: OutcomeKeys = {
      ...contents,
      of: (objects, listed) => objects.map(() => placeKeys(listed.map(({ release }) => ofLayout(release))))
    }
    const many = Array.from({ length: 500 }, (_, i) => kernel(`k${i}`, `k${i}`, `6.${i}.0`))
    const { asked, cells } = setUp({
      keys,
      kernels: many,
      relocate: async (_content, runs) => {
        asked.push(runs)
        await nextTurn()
        return { state: 'ready', outcomes: runs.map(({ releases }) => releases.map(() => ({ ...FOUND, isOfRelease: false }))) }
      }
    })
    expect((await all(cells)).length).toBe(500)
    expect(asked).toHaveLength(1)
  })

  it('looks at the next kernel of a layout where the BTF of the first is lost, and at no more', async () => {
    const keys: OutcomeKeys = { ...createContentKeys(), of: (objects, listed) => objects.map(() => placeKeys(listed.map(() => LAYOUT))) }
    const asked: string[] = []
    const found = await all(setUp({
      keys,
      kernels: kernels(50),
      relocate: async ({ btf }, runs) => {
        asked.push(btf)
        if (btf === sha256('k0')) return { state: 'absent', sha256: btf }
        return { state: 'ready', outcomes: runs.map(({ releases }) => releases.map(() => FOUND)) }
      }
    }).cells)
    expect(asked).toEqual([sha256('k0'), sha256('k1')])
    expect(found.filter(({ outcome }) => outcome.state === 'unknown_kernel').map(({ kernel }) => kernel)).toEqual(['k0'])
    expect(found.filter(({ outcome }) => outcome.state === 'loads')).toHaveLength(49)
  })

  it('says of a kernel whose BTF is lost that it is not known', async () => {
    const found = await all(setUp({ kernels: kernels(1), relocate: async () => ({ state: 'absent', sha256: sha256('x') }) }).cells)
    expect(found.map(({ outcome }) => outcome.state)).toEqual(['unknown_kernel'])
  })

  it('takes outcomes that are known without relocating', async () => {
    const outcomes = createOutcomes(1 << 20)
    await all(setUp({ outcomes }).cells)
    const { asked, cells } = setUp({ outcomes })
    expect((await all(cells)).length).toBe(3)
    expect(asked).toEqual([])
  })

  it('looks at kernels that have to be fetched after the others', async () => {
    const found = await all(setUp({
      fetches: [async () => kernel('fetched'), async () => ({ name: 'lost', outcome: createStateOutcomes()('not_fetched', 'later') })]
    }).cells)
    const rows = found.map(({ kernel, outcome }) => `${kernel} ${outcome.state}`)
    expect(rows.slice(0, 3).sort()).toEqual(['k0 loads', 'k1 loads', 'k2 loads'])
    expect(rows.slice(3).sort()).toEqual(['fetched loads', 'lost not_fetched'])
  })

  it('leaves a list of kernels as it was, which checks share, also where others are fetched beside them', async () => {
    const shared = kernels(3)
    const fetches = [async () => kernel('fetched')]
    expect((await all(setUp({ kernels: shared, fetches }).cells)).length).toBe(4)
    const found = await all(setUp({ kernels: shared }).cells)
    expect(found.map(cell => cell.kernel).sort()).toEqual(['k0', 'k1', 'k2'])
    const again = await all(setUp({ kernels: shared, fetches: [async () => kernel('other')] }).cells)
    expect(again.map(cell => cell.kernel).sort()).toEqual(['k0', 'k1', 'k2', 'other'])
  })
})

describe('outcomes in memory', () => {
  it('are one object where they are equal, and stay within their bytes', () => {
    const outcomes = createOutcomes(20_000)
    const first = outcomes.set('a', LOADS)
    expect(outcomes.set('b', LOADS)).toBe(first)
    for (let i = 0; i < 1000; i++) outcomes.set(`k${i}`, JSON.stringify({ ...JSON.parse(LOADS), reason: `reason ${i}` }))
    expect(outcomes.bytes).toBeLessThanOrEqual(20_000)
    expect(outcomes.get('a')).toBeUndefined()
    expect(outcomes.get('k999')?.reason).toBe('reason 999')
  })
})
