import { createOwnVersions } from '../own-version.js'
import type { Cell, Cells } from '../types.js'
import type { CheckOutcome, CheckState } from '../wire.js'

/** Kernels on which an object has one outcome, and stands alike to an earlier answer. */
export interface Group extends Omit<Cell, 'kernel'> {
  readonly kernels: string[]
}

/** Collects rows into groups, in the order of their first rows. Outcomes are told by identity, apart from the kernel's own version. */
export interface Groups {
  add(cell: Cell): void
  list(): readonly Group[]
}

export function createGroups (): Groups {
  const byObject = new Map<string, Map<CheckOutcome, Map<string, Group>>>()
  const groups: Group[] = []
  const shared = createOwnVersions()
  return {
    add ({ object, outcome: own, baseline, kernel }) {
      const outcome = shared(own)
      const ofObject = member(byObject, object.sha256, () => new Map<CheckOutcome, Map<string, Group>>())
      const ofOutcome = member(ofObject, outcome, () => new Map<string, Group>())
      const group = member(ofOutcome, baseline ?? '', () => {
        const made: Group = { object, outcome, baseline, kernels: [] }
        groups.push(made)
        return made
      })
      group.kernels.push(kernel)
    },
    list: () => groups
  }
}

function member<Key, Value> (map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

const ORDER: readonly CheckState[] = ['fails', 'unresolvable', 'error', 'unknown', 'unknown_kernel', 'not_fetched', 'loads']

/** What fails comes first; groups of one state stay in their order. */
export function inOrder (groups: readonly Group[]): Group[] {
  return [...groups].sort((a, b) => ORDER.indexOf(a.outcome.state) - ORDER.indexOf(b.outcome.state))
}

/** All rows as groups. */
export async function grouped (cells: Cells): Promise<readonly Group[]> {
  const groups = createGroups()
  for await (const some of cells) for (const cell of some) groups.add(cell)
  return groups.list()
}
