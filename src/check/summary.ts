import { ENGINE } from '../relocation/engine.js'
import { at, placeAt, type CellBatch, type CellTables } from './cells.js'
import { createOwnVersionPlaces } from './own-version.js'
import type { NamedObject } from './types.js'
import { COMPARISONS, STATES, type CheckState, type CheckSummary, type CheckVerdict } from './wire.js'

/** Counts rows as they pass. */
export interface SummaryCounter {
  add(batch: CellBatch): void
  summary(): CheckSummary
}

/** What a row that is not as it was before makes of the whole. */
const VERDICTS: Readonly<Record<CheckState, CheckVerdict>> = {
  loads: 'passes',
  fails: 'fails',
  unresolvable: 'fails',
  unknown: 'undecided',
  unknown_kernel: 'undecided',
  not_fetched: 'undecided',
  error: 'undecided'
}

/**
 * @param comparison whether rows are compared with an earlier answer
 * @param started when the check began, by `performance.now()`; now, where that is not given
 */
export function createSummaryCounter (
  objects: ReadonlyArray<Pick<NamedObject, 'sha256' | 'name'>>,
  { comparison = false, started = performance.now() }: { readonly comparison?: boolean, readonly started?: number } = {}
): SummaryCounter {
  const own = createOwnVersionPlaces()
  const kernels = createPlaceSet()
  /** Objects with their outcomes, as numbers. */
  const pairs = new Set<number>()
  /** Rows of each outcome, by how they stand to the earlier answer; in the last place those of an answer without one. */
  const counts: number[] = []
  let tables: CellTables | undefined
  let rows = 0
  const count = (): Pick<CheckSummary, 'verdict' | 'states' | 'baseline'> => {
    const states = zeroes(STATES)
    const compared = zeroes(COMPARISONS)
    const verdicts = new Set<CheckVerdict>()
    counts.forEach((counted, place) => {
      const { state } = at(tables?.outcomes ?? [], Math.floor(place / STANDINGS))
      const comparison = COMPARISONS[place % STANDINGS]
      states[state] += counted
      if (comparison !== undefined) compared[comparison] += counted
      verdicts.add(comparison === 'same' ? 'passes' : VERDICTS[state])
    })
    return {
      verdict: verdicts.has('fails') ? 'fails' : verdicts.has('undecided') ? 'undecided' : 'passes',
      states,
      baseline: comparison ? compared : null
    }
  }
  return {
    add (batch) {
      const { length, objects: ofRows, outcomes, comparisons } = batch
      tables = batch.tables
      rows += length
      let last = -1
      for (let i = 0; i < length; i++) {
        const outcome = placeAt(outcomes, i)
        const place = STANDINGS * outcome + (comparisons?.[i] ?? COMPARISONS.length)
        counts[place] = (counts[place] ?? 0) + 1
        kernels.add(placeAt(batch.kernels, i))
        const pair = MAX_OUTCOMES * placeAt(ofRows, i) + own.placeOf(tables, outcome)
        if (pair !== last) pairs.add(pair) // mostly it is that of the row before
        last = pair
      }
    },
    summary: () => {
      const { verdict, states, baseline } = count()
      return {
        verdict,
        objects: objects.map(({ sha256, name }) => ({ sha256, name })),
        kernels: kernels.size,
        rows,
        states,
        outcomes: pairs.size,
        baseline,
        engine: ENGINE,
        ms: Math.round(performance.now() - started)
      }
    }
  }
}

/** Places that were seen, a byte for each: a set looks every one of half a million up. */
function createPlaceSet (): { add(place: number): void, readonly size: number } {
  let seen = new Uint8Array()
  let size = 0
  return {
    add (place) {
      if (place >= seen.length) {
        const larger = new Uint8Array(2 * (place + 1))
        larger.set(seen)
        seen = larger
      }
      if (seen[place] === 0) size++
      seen[place] = 1
    },
    get size () { return size }
  }
}

/** How a row may stand to an earlier answer, or that there is none. */
const STANDINGS = COMPARISONS.length + 1
/** More than a check has outcomes. With the most objects that it may have, numbers stay so small that V8 needs no memory for them. */
const MAX_OUTCOMES = 2 ** 24

function zeroes<Name extends string> (names: readonly Name[]): Record<Name, number> {
  const counts: Partial<Record<Name, number>> = {}
  for (const name of names) counts[name] = 0
  const isWhole = (some: typeof counts): some is Record<Name, number> => names.every(name => name in some)
  if (!isWhole(counts)) throw new Error('each name was counted')
  return counts
}
