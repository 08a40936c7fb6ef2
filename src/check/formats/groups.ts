import { createPlaceList, type PlaceList } from '../cell-batches.js'
import { at, placeAt, type Cell, type CellBatch, type CellTables, type Cells } from '../cells.js'
import { createOwnVersionPlaces } from '../own-version.js'
import { COMPARISONS, type CheckState } from '../wire.js'

/** Kernels on which an object has one outcome, and stands alike to an earlier answer. */
export interface Group extends Omit<Cell, 'kernel'> {
  readonly kernels: readonly string[]
  /** Of the kernels, in the table. */
  readonly places: PlaceList
}

/** Its kernels have their names once somebody asks for them. */
function createGroup (tables: CellTables, facts: Omit<Cell, 'kernel'>): Group {
  const names: string[] = []
  const places = createPlaceList()
  return {
    ...facts,
    places,
    get kernels () {
      for (const place of places.all().subarray(names.length)) names.push(at(tables.kernels, place))
      return names
    }
  }
}

/** Collects rows into groups, in the order of their first rows. Outcomes are told by identity, apart from the kernel's own version. */
export interface Groups {
  add(batch: CellBatch): void
  list(): readonly Group[]
}

export function createGroups (): Groups {
  /** By object; then by outcome and by how rows stand to the earlier answer, in one place. */
  const byObject: Array<Array<Group | undefined>> = []
  const groups: Group[] = []
  const own = createOwnVersionPlaces()
  return {
    add ({ tables, length, objects, kernels, outcomes, comparisons }) {
      for (let i = 0; i < length; i++) {
        const object = placeAt(objects, i)
        const outcome = own.placeOf(tables, placeAt(outcomes, i))
        const comparison = comparisons?.[i] ?? COMPARISONS.length
        const ofObject = byObject[object] ??= []
        const place = (COMPARISONS.length + 1) * outcome + comparison
        let group = ofObject[place]
        if (group === undefined) {
          const baseline = COMPARISONS[comparison]
          group = createGroup(tables, { object: at(tables.objects, object), outcome: at(own.list, outcome), baseline })
          ofObject[place] = group
          groups.push(group)
        }
        group.places.push(placeAt(kernels, i))
      }
    },
    list: () => groups
  }
}

const ORDER: readonly CheckState[] = ['fails', 'unresolvable', 'error', 'unknown', 'unknown_kernel', 'not_fetched', 'loads']

/** What fails comes first; groups of one state stay in their order. */
export function inOrder (groups: readonly Group[]): Group[] {
  return [...groups].sort((a, b) => ORDER.indexOf(a.outcome.state) - ORDER.indexOf(b.outcome.state))
}

/** All rows as groups. */
export async function grouped (cells: Cells): Promise<readonly Group[]> { return (await groupedBy(cells)).groups }

/** The same with the tables in which their kernels have places; undefined where there are no rows. */
export async function groupedBy (cells: Cells): Promise<{ readonly groups: readonly Group[], readonly tables: CellTables | undefined }> {
  const groups = createGroups()
  let tables: CellTables | undefined
  for await (const batch of cells) {
    tables = batch.tables
    groups.add(batch)
  }
  return { groups: groups.list(), tables }
}
