import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellsIn } from '../../src/check/cells.js'
import { createContentKeys, placeKeys, type OutcomeKey, type OutcomeKeys } from '../../src/check/outcome-keys.js'
import { createOutcomes } from '../../src/check/outcomes.js'
import { runCheck } from '../../src/check/run-check.js'
import { createStateOutcomes } from '../../src/check/state-outcomes.js'
import type { KernelContent, NamedObject } from '../../src/check/types.js'
import { AppError } from '../../src/errors.js'
import { sha256 } from '../../src/store/sha256.js'
import { runs } from '../support/property-runs.js'

/** What an outcome follows from, beside the object. */
const kinds = ['of layout', 'of layout and release', 'of BTF', 'of BTF and release'] as const
type Kind = typeof kinds[number]

const AGES = ['4.19.0', '5.10.0', '6.1.0']

interface Fleet {
  readonly kernels: ReadonlyArray<{ readonly btf: number, readonly age: number, readonly hasTable: boolean }>
  /** By object. */
  readonly kinds: readonly Kind[]
  /** Of a BTF: its number modulo this. */
  readonly layouts: number
  /** BTF that cannot be read, by its number. */
  readonly lost: ReadonlySet<number>
  readonly outcomeBytes: number
  readonly concurrency: number
}

const fleets: fc.Arbitrary<Fleet> = fc.record({
  kernels: fc.array(fc.record({ btf: fc.nat(12), age: fc.nat(AGES.length - 1), hasTable: fc.boolean() }), { maxLength: 200 }),
  kinds: fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 3 }),
  layouts: fc.integer({ min: 1, max: 5 }),
  lost: fc.uniqueArray(fc.nat(12), { maxLength: 3 }).map(numbers => new Set(numbers)),
  outcomeBytes: fc.constantFrom(1, 2000, 1 << 20),
  concurrency: fc.integer({ min: 1, max: 3 })
})

const hashes = Array.from({ length: 13 }, (_, btf) => sha256(`btf ${btf}`))

function expectedOf (kind: Kind, btf: number, { layouts }: Fleet, release: string): string {
  const content = kind.startsWith('of layout') ? `layout ${btf % layouts}` : `btf ${btf}`
  return kind.endsWith('release') ? `${content} ${release}` : content
}

/** Kernels have their layout's key where they have a table, until it turns out that they do not have one outcome. */
function keysOf ({ layouts }: Fleet, tables: ReadonlySet<KernelContent>): OutcomeKeys {
  const contents = createContentKeys()
  const alone = new Set<string>()
  const keyOf = (object: NamedObject, content: KernelContent): OutcomeKey => {
    const scope = `layout ${hashes.indexOf(content.btf) % layouts}`
    return !tables.has(content) || alone.has(object.sha256 + scope)
      ? contents.alone(object, content)
      : { scope, text: `${scope} ${content.release}` }
  }
  return {
    ...contents,
    of: (objects, listed) => objects.map(object => placeKeys(listed.map(content => keyOf({ name: '', ...object }, content)))),
    noteAlone (object, scope) { alone.add(object.sha256 + scope) }
  }
}

describe('a check of any fleet', () => {
  it('gives each row once, with the outcome that relocating for its kernel alone would give', async () => {
    await fc.assert(fc.asyncProperty(fleets, async fleet => {
      const objects = fleet.kinds.map((kind, i) => ({ name: kind, sha256: sha256(`${i}`), bytes: Buffer.from(`${i}`) }))
      const tables = new Set<KernelContent>()
      const kernels = fleet.kernels.map(({ btf, age, hasTable }, i) => {
        const content = { btf: hashes[btf] ?? sha256(''), modules: [], release: AGES[age] ?? '' }
        if (hasTable) tables.add(content)
        return { name: `${i}`, content }
      })
      const cells = runCheck({
        objects,
        kernels,
        fetches: [],
        keys: keysOf(fleet, tables),
        outcomes: createOutcomes(fleet.outcomeBytes),
        outcomeOf: createStateOutcomes(),
        concurrency: fleet.concurrency,
        caller: '',
        signal: new AbortController().signal,
        async relocate ({ btf }, runs) {
          await new Promise(resolve => { setImmediate(resolve) })
          const number = hashes.indexOf(btf)
          if (fleet.lost.has(number)) throw new AppError('storage_unreadable', 'lost')
          return {
            state: 'ready',
            outcomes: runs.map(({ objectSha256, releases }) => releases.map(release => {
              const kind = fleet.kinds[objects.findIndex(object => object.sha256 === objectSha256)] ?? 'of layout'
              return {
                json: JSON.stringify({ state: 'loads', reason: expectedOf(kind, number, fleet, release) }),
                isOfLayout: kind.startsWith('of layout'),
                isOfRelease: kind.endsWith('release')
              }
            }))
          }
        }
      })
      const found = new Map<string, string | null>()
      let rows = 0
      for await (const batch of cells) {
        rows += batch.length
        for (const { object, kernel, outcome } of cellsIn(batch)) found.set(`${object.sha256} ${kernel}`, outcome.reason)
      }
      expect(rows).toBe(objects.length * kernels.length)
      for (const { name, sha256: hash } of objects) {
        for (const [i, { btf, age }] of fleet.kernels.entries()) {
          // A kernel whose BTF is lost has the outcome of others that are laid out alike, or is told as lost.
          const isTold = fleet.lost.has(btf) && found.get(`${hash} ${i}`) === 'lost'
          if (!isTold) expect(found.get(`${hash} ${i}`)).toBe(expectedOf(name, btf, fleet, AGES[age] ?? ''))
        }
      }
    }), runs(70))
  })
})
