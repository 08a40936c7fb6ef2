import { describe, expect, it } from 'vitest'
import { parseObject, type BpfObject } from '../../src/core/index.js'
import { parseRawBtf } from '../../src/btf/parse.js'
import { buildLayoutTable, demandsOf, layoutVector, readLayoutTable } from '../../src/layout/index.js'
import { makeCase } from '../differential/random/case.js'
import { changeOnce } from '../differential/random/mutate.js'
import { random } from '../differential/random/random.js'
import { emit, type Type } from '../differential/random/types.js'
import { CONTENT, FORMAT } from '../support/layout-format.js'
import { fullOutcome, type FullOutcome } from '../support/layout-outcome.js'
import { runs } from '../support/property-runs.js'

interface Compared extends FullOutcome {
  readonly vector: string | undefined
}

function compared (object: BpfObject, kernel: readonly Type[]): Compared {
  const { builder } = emit(kernel)
  const btf = parseRawBtf(builder.bytes())
  const demands = demandsOf(object)
  const table = readLayoutTable(buildLayoutTable(btf, CONTENT, FORMAT), CONTENT, FORMAT)
  if (table === undefined) throw new Error('a table that was just made cannot be read')
  return { ...fullOutcome(object, btf), vector: demands === undefined ? undefined : layoutVector(demands, [table], FORMAT) }
}

function isDemanded (object: BpfObject, name: string): boolean {
  const essential = name.replace(/___[^_]\w*$/, '')
  return (demandsOf(object) ?? []).some(({ bytes, offset, length }) =>
    new TextDecoder().decode(bytes.slice(offset, offset + length)) === essential)
}

/** Types that nothing refers to, before those of the kernel, so that all its ids are other ones. */
function withOtherIds (kernel: readonly Type[]): Type[] {
  const unrelated: Type[] = [
    { kind: 'int', name: 'unrelated_int', size: 4, encoding: 0, offset: 0, rank: 0 },
    { kind: 'fwd', name: 'unrelated', union: false, rank: 0 }
  ]
  return [...unrelated, ...kernel]
}

describe('a made-up object, and a kernel with one thing changed,', () => {
  const { numRuns, seed: firstSeed = 1 } = runs(70)
  const counts = { sameVector: 0, otherOutcome: 0, told: 0 }

  it('have equal vectors only where patches, verdicts, reasons and suggestions are equal', () => {
    const wrong: string[] = []
    for (let i = 0; i < numRuns; i++) {
      const seed = firstSeed + i
      const { object: { bytes }, kernel } = makeCase(seed, { arrayAccess: true, negativeIndex: true })
      const object = parseObject(bytes)
      const before = compared(object, kernel)
      const after = compared(object, changeOnce(random(seed * 31), kernel, name => isDemanded(object, name)))
      if (!before.isShared) continue
      counts.told++
      if (before.text !== after.text) counts.otherOutcome++
      if (before.vector === undefined || before.vector !== after.vector) continue
      counts.sameVector++
      if (before.text !== after.text) wrong.push(`seed ${seed}: ${before.text}\n${after.text}`)
    }
    expect(wrong).toEqual([])
  })

  it('are both: told apart, and found alike', () => {
    expect(counts.told).toBeGreaterThan(numRuns / 4)
    expect(counts.otherOutcome).toBeGreaterThan(counts.told / 10)
    expect(counts.sameVector).toBeGreaterThan(counts.told / 10)
  })
})

describe('the table of a kernel that is like others of which tables were made', () => {
  it('is the one that it would have if it were the first', () => {
    const { numRuns, seed: firstSeed = 1 } = runs(40)
    const kernels = Array.from({ length: numRuns }, (_, i) => firstSeed + i).flatMap(seed => {
      const { kernel } = makeCase(seed, { arrayAccess: true, negativeIndex: true })
      return [kernel, kernel, ...[seed, seed * 31].map(other => changeOnce(random(other), kernel, () => true)), kernel]
    })
    const btfs = kernels.map(types => parseRawBtf(emit(types).builder.bytes()))
    // Nothing is kept of another function.
    const first = btfs.map(btf => buildLayoutTable(btf, CONTENT, { ...FORMAT, hash: bytes => FORMAT.hash(bytes) }))
    const later = btfs.map(btf => buildLayoutTable(btf, CONTENT, FORMAT))
    expect(later).toEqual(first)
  })
})

describe('a made-up object, and a kernel of which only the type ids are others,', () => {
  it('have equal vectors, and equal outcomes where one is said to be shared', () => {
    const { numRuns, seed: firstSeed = 1 } = runs(20)
    let shared = 0
    for (let seed = firstSeed; seed < firstSeed + numRuns; seed++) {
      const { object: { bytes }, kernel } = makeCase(seed, { arrayAccess: true, negativeIndex: true })
      const object = parseObject(bytes)
      const before = compared(object, kernel)
      const after = compared(object, withOtherIds(kernel))
      expect(after.vector, `seed ${seed}`).toBe(before.vector)
      if (before.vector === undefined || !before.isShared) continue
      shared++
      expect(after.text, `seed ${seed}`).toBe(before.text)
    }
    expect(shared).toBeGreaterThan(numRuns / 4)
  })
})
