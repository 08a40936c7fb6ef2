import { at, type CellBatch, type CellTables } from '../cells.js'
import type { NamedObject } from '../types.js'
import { COMPARISONS, type CheckOutcome, type Comparison } from '../wire.js'
import { groupedBy, type Group } from './groups.js'
import type { Writer, Written } from './writer.js'

/** One document: `{ "rows": […], "summary": {…} }`; `problem` stands in for `summary` where not all rows could be answered. */
export const writeJson: Writer = async function * (written) {
  yield '{"rows":['
  let isFirst = true
  for await (const rows of rowsOf(written, ',\n', '')) {
    yield isFirst ? rows.subarray(1) : rows // no comma before the first of them
    isFirst = false
  }
  yield `\n],${endOf(written)}}\n`
}

/** A row a line, then a line with the summary, or with the problem for which there is none. */
export const writeNdjson: Writer = async function * (written) {
  yield * rowsOf(written, '', '\n')
  yield `{${endOf(written)}}\n`
}

async function * rowsOf ({ cells, isGrouped }: Written, before: string, behind: string): AsyncGenerator<Buffer> {
  const rows = createRowBytes(before, behind)
  if (!isGrouped) {
    for await (const batch of cells) yield * rows.of(batch)
    return
  }
  const { groups, tables } = await groupedBy(cells)
  if (tables !== undefined) for (const group of groups) yield rows.ofGroup(group, tables)
}

function endOf ({ counter, problem }: Written): string {
  const error = problem()
  return error === undefined
    ? `"summary":${JSON.stringify(counter.summary())}`
    : `"summary":null,"problem":${JSON.stringify({ code: error.code, detail: error.message, ...error.details })}`
}

/** Bytes of rows after which others get their turn. */
const PIECE_BYTES = 256 * 1024

/** Rows as bytes. */
interface RowBytes {
  of(batch: CellBatch): Generator<Buffer>
  ofGroup(group: Group, tables: CellTables): Buffer
}

/** Puts rows together of parts. Of thousands of rows few say something of their own, so that each part is made once. */
function createRowBytes (before: string, behind: string): RowBytes {
  const heads: Buffer[] = []
  const names: Buffer[] = []
  const ends: Buffer[] = []
  const nameOf = ({ kernels }: CellTables, kernel: number): Buffer => {
    const name = names[kernel] ??= Buffer.from(JSON.stringify(at(kernels, kernel)))
    return name
  }
  return {
    * of ({ tables, length, objects, kernels, outcomes, comparisons }) {
      let parts: Buffer[] = []
      let bytes = 0
      for (let i = 0; i < length; i++) {
        const object = at(objects, i)
        const outcome = at(outcomes, i)
        const comparison = comparisons?.[i]
        const head = heads[object] ??= Buffer.from(`${before}${headOf(at(tables.objects, object))},"kernel":`)
        const name = nameOf(tables, at(kernels, i))
        const end = ends[(COMPARISONS.length + 1) * outcome + (comparison ?? COMPARISONS.length)] ??=
          Buffer.from(endOfRow(at(tables.outcomes, outcome), comparison === undefined ? undefined : COMPARISONS[comparison]) + behind)
        parts.push(head, name, end)
        bytes += head.length + name.length + end.length
        if (bytes < PIECE_BYTES) continue
        yield Buffer.concat(parts, bytes)
        parts = []
        bytes = 0
      }
      if (bytes > 0) yield Buffer.concat(parts, bytes)
    },
    ofGroup ({ object, places, outcome, baseline }, tables) {
      const parts: Buffer[] = [Buffer.from(`${before}${headOf(object)},"kernels":[`)]
      for (const [i, kernel] of places.entries()) {
        if (i > 0) parts.push(COMMA)
        parts.push(nameOf(tables, kernel))
      }
      parts.push(Buffer.from(`]${endOfRow(outcome, baseline)}${behind}`))
      return Buffer.concat(parts)
    }
  }
}

const COMMA = Buffer.from(',')

function headOf ({ sha256, name }: Pick<NamedObject, 'sha256' | 'name'>): string {
  return `{"object":"${sha256}","object_name":${JSON.stringify(name)}`
}

/** What stands behind the kernel. */
function endOfRow (outcome: CheckOutcome, baseline: Comparison | undefined): string {
  return `${baseline === undefined ? '' : `,"baseline":"${baseline}"`},${JSON.stringify(outcome).slice(1)}`
}
