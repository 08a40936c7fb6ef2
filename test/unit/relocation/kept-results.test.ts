import { expect, it } from 'vitest'
import { createKeptResults } from '../../../src/relocation/kept-results.js'
import { sha256 } from '../../../src/store/sha256.js'
import type { RelocatedObject, Task } from '../../../src/workers/protocol.js'

const OBJECT = sha256('an object')
const KEY = { btf: sha256('BTF'), modules: [], release: undefined }

function resultOf (object: Uint8Array): RelocatedObject {
  return {
    patches: { offsets: new Uint32Array(), before: new Uint8Array(), after: new Uint8Array() },
    sha256: sha256(object),
    counts: { resolved: 0, absent: 0, poisoned: 0, failed: 0 },
    verdict: 'loads',
    assumes: [],
    isJudged: false,
    isAlreadyRelocated: false,
    report: undefined,
    parseMs: 0,
    relocateMs: 0
  }
}

/** Results that are kept in memory, and threads that answer `isProved`. */
function setUp (isProved: boolean) {
  const tasks: Task[] = []
  const kept = new Map<string, Uint8Array>()
  const results = createKeptResults({
    values: {
      of: async () => kept,
      keep: (_object, key, value) => { kept.set(key, value) },
      discard: async (_object, key) => { kept.delete(key) },
      stats: () => ({ bytes: 0, entries: kept.size })
    },
    pool: {
      async run (task: Task) {
        tasks.push(task)
        return isProved as never // the value of the one kind that is asked
      }
    },
    layoutPath: () => ''
  })
  const find = async (object: Uint8Array) => await results.find(OBJECT, KEY, () => true, async () => object)
  return { tasks, kept, results, find }
}

it('a result of a large object is proved by a thread, one of a small object at once', async () => {
  for (const [size, kinds] of [[1000, []], [1 << 20, ['proveResult']]] as const) {
    const object = new Uint8Array(size)
    const { tasks, results, find } = setUp(true)
    results.keep(OBJECT, KEY, resultOf(object))
    expect(await find(object)).toMatchObject({ sha256: sha256(object) })
    expect(tasks.map(({ kind }) => kind)).toEqual(kinds)
    expect(results.hits).toBe(1)
  }
})

it('a result that is not proved is let go of', async () => {
  for (const [size, other] of [[1000, new Uint8Array(999)], [1 << 20, new Uint8Array(1 << 20)]] as const) {
    const { kept, results, find } = setUp(false)
    results.keep(OBJECT, KEY, resultOf(new Uint8Array(size)))
    expect(await find(other)).toBeUndefined()
    expect([kept.size, results.hits]).toEqual([0, 0])
  }
})
