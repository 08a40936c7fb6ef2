import { expect, it } from 'vitest'
import { isValidId } from '../../src/btf/btf.js'
import { newWork } from '../../src/btf/work.js'
import { parseBtf, parseObject } from '../../src/core/index.js'
import { isCoreReloKind } from '../../src/core/kinds.js'
import { createIndices, type Indices } from '../../src/core/member-index.js'
import { locateRecords } from '../../src/core/records.js'
import { createResolver } from '../../src/core/resolution.js'
import { AppError } from '../../src/errors.js'
import { makeCase } from '../differential/random/case.js'
import { runs } from '../support/property-runs.js'

const { numRuns, seed = 1 } = runs(70)

/** What every record of an object means in a kernel, as plain data; `undefined` for what no resolver is asked. */
function resolveAll (object: ReturnType<typeof parseObject>, target: ReturnType<typeof parseBtf>, indices: Indices): unknown[] {
  const resolver = createResolver({
    specs: new Map(), local: object.btf, target: { btf: target, modules: [] }, byteOrder: 'little', work: newWork(), indices
  })
  return locateRecords(object).records.map(({ typeId, accessStrOff, kind, index }) => {
    if (!isValidId(object.btf, typeId) || !isCoreReloKind(kind) || accessStrOff >= object.btf.strLen) return undefined
    try {
      const { resolution, error } = resolver.resolve({ rootId: typeId, accessStrOff, kind, record: index })
      const { matched, value } = resolution ?? {}
      return [
        error?.message, matched?.rootId, matched?.raw, matched?.accessors, matched?.bitOffset, value?.target?.value, value?.isAccessUnsafe
      ]
    } catch (error) {
      return error instanceof AppError ? error.message : error
    }
  })
}

it('an index of members and enumerators finds what a walk finds, in kernels with members twice, nested and missing', () => {
  let matches = 0
  for (let i = 0; i < numRuns; i++) {
    const made = makeCase(seed + i, { arrayAccess: true, negativeIndex: true })
    if (made.relocation instanceof AppError) continue
    const object = parseObject(made.object.bytes)
    const target = parseBtf(made.btf)
    const walked = resolveAll(object, target, createIndices(Infinity))
    expect(resolveAll(object, target, createIndices(0)), `seed ${seed + i}`).toEqual(walked)
    matches += walked.filter(found => Array.isArray(found) && found[1] !== undefined).length
  }
  expect(matches).toBeGreaterThan(numRuns)
})
