import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBatches } from '../../src/check/cell-batches.js'
import type { Cell, CellBatch } from '../../src/check/cells.js'
import { FORMATS } from '../../src/check/formats/formats.js'
import { endingCells } from '../../src/check/formats/writer.js'
import { createSummaryCounter } from '../../src/check/summary.js'
import { STATES, type CheckGroup, type CheckOutcome, type CheckRow, type CheckSummary } from '../../src/check/wire.js'
import { sha256 } from '../../src/store/sha256.js'
import { runs } from '../support/property-runs.js'

/** Rows of a fleet, by numbers, and how many come at a time. */
interface Fleet {
  readonly names: readonly string[]
  readonly rows: ReadonlyArray<{ readonly object: number, readonly kernel: number, readonly outcome: number }>
  readonly atOnce: number
}

const OBJECTS = 3
const OUTCOMES = 4

const fleets: fc.Arbitrary<Fleet> = fc.record({
  names: fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 60 }),
  rows: fc.array(fc.record({ object: fc.nat(OBJECTS - 1), kernel: fc.nat(59), outcome: fc.nat(OUTCOMES - 1) }), { maxLength: 300 }),
  atOnce: fc.integer({ min: 1, max: 100 })
})

const objects = Array.from({ length: OBJECTS }, (_, i) => ({ name: `"object" ${i} \u00e9`, sha256: sha256(`${i}`) }))
const outcomes = Array.from({ length: OUTCOMES }, (_, i): CheckOutcome =>
  ({ state: STATES[i] ?? 'error', reason: `${i} \u2603`.repeat(200 * i), programs: [], failures: [], failures_total: 0 }))

function cellsOf ({ names, rows }: Fleet): Cell[] {
  return rows.map(({ object, kernel, outcome }) => ({
    object: objects[object] ?? { name: '', sha256: sha256('') },
    kernel: names[kernel % names.length] ?? '',
    outcome: outcomes[outcome] ?? outcomes[0] as CheckOutcome
  }))
}

async function * batches (cells: readonly Cell[], atOnce: number): AsyncGenerator<CellBatch> {
  const batchOf = createBatches()
  for (let i = 0; i < cells.length; i += atOnce) yield batchOf(cells.slice(i, i + atOnce))
}

async function write<Row> (cells: readonly Cell[], atOnce: number, isGrouped: boolean): Promise<{ rows: Row[], summary: CheckSummary }> {
  const counter = createSummaryCounter(objects)
  const ending = endingCells(batches(cells, atOnce), counter, error => {
    throw error instanceof Error ? error : new Error(String(error))
  })
  const pieces: Buffer[] = []
  for await (const piece of FORMATS['application/json']({ objects, counter, isGrouped, ...ending })) pieces.push(Buffer.from(piece))
  return JSON.parse(Buffer.concat(pieces).toString()) as { rows: Row[], summary: CheckSummary }
}

const rowOf = ({ object: { sha256: object, name }, kernel, outcome }: Cell): CheckRow =>
  ({ object, object_name: name, kernel, ...outcome })

describe('JSON of any rows, which is put together of bytes', () => {
  it('says of each row what the row says, in their order', async () => {
    await fc.assert(fc.asyncProperty(fleets, async fleet => {
      const cells = cellsOf(fleet)
      const { rows, summary } = await write<CheckRow>(cells, fleet.atOnce, false)
      expect(rows).toEqual(cells.map(rowOf))
      expect(summary.rows).toBe(cells.length)
      expect(summary.kernels).toBe(new Set(cells.map(({ kernel }) => kernel)).size)
      expect(summary.outcomes).toBe(new Set(fleet.rows.map(({ object, outcome }) => `${object} ${outcome}`)).size)
      for (const state of STATES) expect(summary.states[state]).toBe(cells.filter(({ outcome }) => outcome.state === state).length)
    }), runs(40))
  })

  it('has each row in the group of its object and outcome, in their order', async () => {
    await fc.assert(fc.asyncProperty(fleets, async fleet => {
      const cells = cellsOf(fleet)
      const groups = new Map<string, CheckGroup>()
      for (const cell of cells) {
        const { kernel, ...rest } = rowOf(cell)
        const key = JSON.stringify(rest)
        groups.set(key, { ...rest, kernels: [...groups.get(key)?.kernels ?? [], kernel] })
      }
      expect((await write<CheckGroup>(cells, fleet.atOnce, true)).rows).toEqual([...groups.values()])
    }), runs(40))
  })
})
