import { createInterned } from '../store/interned.js'
import type { ReportProgram } from '../wire/report.js'
import { at, type CellTables } from './cells.js'
import type { CheckOutcome } from './wire.js'

/** As src/verdict writes it: which version, follows from the kernel and says nothing that its name does not. */
const VERSION = /^LINUX_KERNEL_VERSION = /
const OWN_VERSION = 'LINUX_KERNEL_VERSION = that of each kernel'

/**
 * Outcomes as groups have them. A verdict that rests on LINUX_KERNEL_VERSION assumes another value on each release, so that no two
 * kernels would ever be one group.
 *
 * @returns gives one object for outcomes that are equal apart from the kernel's own version
 */
function createOwnVersions (): (outcome: CheckOutcome) => CheckOutcome {
  const known = new WeakMap<CheckOutcome, CheckOutcome>()
  const byText = new Map<string, CheckOutcome>()
  return outcome => {
    let shared = known.get(outcome)
    if (shared === undefined) {
      shared = outcome.programs.some(readsVersion) ? { ...outcome, programs: outcome.programs.map(withOwnVersion) } : outcome
      if (shared !== outcome) {
        const text = JSON.stringify(shared)
        shared = byText.get(text) ?? shared
        byText.set(text, shared)
      }
      known.set(outcome, shared)
    }
    return shared
  }
}

/** The same by places: what stands for an outcome of the tables, in a list in which each is once. */
export interface OwnVersions {
  readonly list: readonly CheckOutcome[]
  placeOf(tables: CellTables, outcome: number): number
}

export function createOwnVersionPlaces (): OwnVersions {
  const shared = createOwnVersions()
  const { list, placeOf } = createInterned<CheckOutcome>()
  const places: number[] = []
  return {
    list,
    placeOf ({ outcomes }, outcome) {
      const place = places[outcome] ??= placeOf(shared(at(outcomes, outcome)))
      return place
    }
  }
}

function readsVersion ({ assumes }: ReportProgram): boolean { return assumes.some(text => VERSION.test(text)) }

function withOwnVersion (program: ReportProgram): ReportProgram {
  return readsVersion(program) ? { ...program, assumes: program.assumes.map(text => VERSION.test(text) ? OWN_VERSION : text) } : program
}
