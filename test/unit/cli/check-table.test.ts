import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createBatches } from '../../../src/check/cell-batches.js'
import { createGroups } from '../../../src/check/formats/groups.js'
import { createSummaryCounter } from '../../../src/check/summary.js'
import type { CheckOutcome } from '../../../src/check/wire.js'
import { createCheckTable } from '../../../src/cli/check-table.js'
import { sha256 } from '../../../src/store/sha256.js'

const LOADS: CheckOutcome = { state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 }
const OBJECT = { sha256: sha256(Buffer.from('object')), name: 'exec.bpf.o' }

/** What the end of a check writes to a terminal of this width; undefined: to a file. */
function written (columns: number | undefined, patches: readonly number[] = [18, 20, 21, 22]): string[] {
  const groups = createGroups()
  const counter = createSummaryCounter([OBJECT])
  const kernels = patches.map(patch => `debian/12/x86_64/6.1.0-${patch}-amd64`)
  const batch = createBatches()(kernels.map(kernel => ({ object: OBJECT, kernel, outcome: LOADS })))
  groups.add(batch)
  counter.add(batch)
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: columns !== undefined, columns })
  createCheckTable(stream as unknown as NodeJS.WriteStream, kernels.length).end(groups.list(), counter)
  return stripVTControlCharacters(String(stream.read())).split('\n')
}

describe('the table of a check', () => {
  it('names as many kernels as a line of the terminal has room for, and one at least', () => {
    const named = (columns: number | undefined) => written(columns)[1]?.replace(/^loads {2}exec\.bpf\.o {2}4 {8}/, '')
    expect(named(200)).toBe('debian/12/x86_64/6.1.0-18-amd64, debian/12/x86_64/6.1.0-20-amd64, debian/12/x86_64/6.1.0-21-amd64 and 1 more')
    expect(named(undefined)).toBe(named(200))
    expect(named(80)).toBe('debian/12/x86_64/6.1.0-18-amd64 and 3 more')
    expect(named(40)).toBe(named(80))
  })

  it('names the first kernels in the order of their numbers, in whichever order the rows came', () => {
    const [, row] = written(200, [100, 20, 3, 18])
    expect(row).toContain('6.1.0-3-amd64, debian/12/x86_64/6.1.0-18-amd64, debian/12/x86_64/6.1.0-20-amd64 and 1 more')
  })
})
