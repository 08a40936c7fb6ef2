import { at, placeAt, type CellBatch, type CellTables } from '../cells.js'
import type { NamedObject } from '../types.js'
import { COMPARISONS, type CheckOutcome, type CheckWarning, type Comparison } from '../wire.js'
import { encodedNames } from './encoded-names.js'
import { groupedBy } from './groups.js'
import type { Writer, Written } from './writer.js'

/**
 * One document: `{ "rows": […], "summary": {…}, "warnings": […] }`. Where not all rows could be answered, `problem`
 * stands in for `summary`.
 */
export const writeJson: Writer = async function * (written) {
  yield '{"rows":['
  let isFirst = true
  for await (const rows of rowsOf(written, ',\n', '')) {
    yield isFirst ? rows.subarray(1) : rows // no comma before the first of them
    isFirst = false
  }
  yield `\n],${endOf(written)}}\n`
}

/** A row a line, then a line with the summary, or with the problem for which there is none, and the warnings. */
export const writeNdjson: Writer = async function * (written) {
  yield * rowsOf(written, '', '\n')
  yield `{${endOf(written)}}\n`
}

async function * rowsOf ({ cells, isGrouped }: Written, before: string, behind: string): AsyncGenerator<Buffer> {
  if (!isGrouped) {
    const piecesOf = createRowBytes(before, behind)
    for await (const batch of cells) yield * piecesOf(batch)
    return
  }
  const { groups, tables } = await groupedBy(cells)
  if (tables === undefined) return
  const listOf = createNameLists(tables)
  for (const { object, places, outcome, baseline } of groups) {
    const head = Buffer.from(`${before}${headOf(object)},"kernels":[`)
    yield Buffer.concat([head, listOf(places.all()), Buffer.from(`]${endOfRow(outcome, baseline)}${behind}`)])
  }
}

function endOf ({ counter, problem, objects }: Written): string {
  const error = problem()
  const warnings = objects.flatMap(({ sha256, name, warning }): CheckWarning[] =>
    warning === undefined ? [] : [{ object: sha256, object_name: name, ...warning }])
  const end = error === undefined
    ? `"summary":${JSON.stringify(counter.summary())}`
    : `"summary":null,"problem":${JSON.stringify({ code: error.code, detail: error.message, ...error.details })}`
  return `${end},"warnings":${JSON.stringify(warnings)}`
}

/** Bytes of rows after which others get their turn. */
const PIECE_BYTES = 32 * 1024

/**
 * Rows as bytes, which are put together of parts. Of thousands of rows few say something of their own, so that each part is encoded once,
 * and each piece is had once it is known how long it is: its bytes are copied once.
 */
function createRowBytes (before: string, behind: string): (batch: CellBatch) => Generator<Buffer> {
  const heads: Buffer[] = []
  const ends: Buffer[] = []
  return function * ({ tables, length, objects, kernels, outcomes, comparisons }) {
    const { bytes, starts } = encodedNames(tables.kernels, kernels.reduce((most, place) => Math.max(most, place), 0) + 1)
    const headOfRow = (i: number): Buffer => {
      const object = placeAt(objects, i)
      const head = heads[object] ??= Buffer.from(`${before}${headOf(at(tables.objects, object))},"kernel":`)
      return head
    }
    const restOfRow = (i: number): Buffer => {
      const outcome = placeAt(outcomes, i)
      const comparison = comparisons?.[i]
      const end = ends[(COMPARISONS.length + 1) * outcome + (comparison ?? COMPARISONS.length)] ??=
        Buffer.from(endOfRow(at(tables.outcomes, outcome), comparison === undefined ? undefined : COMPARISONS[comparison]) + behind)
      return end
    }
    for (let from = 0, to = 0; from < length; from = to) {
      let size = 0
      for (; to < length && size < PIECE_BYTES; to++) {
        const kernel = placeAt(kernels, to)
        size += headOfRow(to).length + placeAt(starts, kernel + 1) - placeAt(starts, kernel) - COMMA.length + restOfRow(to).length
      }
      const piece = Buffer.allocUnsafe(size)
      let end = 0
      for (let i = from; i < to; i++) {
        const [head, kernel, rest] = [headOfRow(i), placeAt(kernels, i), restOfRow(i)]
        piece.set(head, end)
        end = copy(bytes, placeAt(starts, kernel) + COMMA.length, placeAt(starts, kernel + 1), piece, end + head.length)
        piece.set(rest, end)
        end += rest.length
      }
      yield piece
    }
  }
}

/** Lists of kernels by their places, as bytes without brackets. Groups have thousands of kernels each: neighbours are copied together. */
function createNameLists ({ kernels }: CellTables): (places: Uint32Array) => Buffer {
  const { bytes: names, starts } = encodedNames(kernels, kernels.length)
  return places => {
    let bytes = 0
    for (const place of places) bytes += placeAt(starts, place + 1) - placeAt(starts, place)
    const list = Buffer.allocUnsafe(bytes)
    let end = 0
    for (let from = 0, to = 1; from < places.length; from = to, to++) {
      while (to < places.length && placeAt(places, to) === placeAt(places, to - 1) + 1) to++
      end = copy(names, placeAt(starts, placeAt(places, from)), placeAt(starts, placeAt(places, to - 1) + 1), list, end)
    }
    return list.subarray(COMMA.length)
  }
}

const COMMA = ','
/** Fewer bytes are copied faster one by one than by a view of them, which is also garbage. */
const VIEW_BYTES = 128

/** @returns where the bytes end */
function copy (bytes: Buffer, start: number, end: number, target: Buffer, to: number): number {
  if (end - start < VIEW_BYTES) for (let i = start; i < end; i++) target[to + i - start] = bytes[i] ?? 0
  else target.set(bytes.subarray(start, end), to)
  return to + end - start
}

function headOf ({ sha256, name }: Pick<NamedObject, 'sha256' | 'name'>): string {
  return `{"object":"${sha256}","object_name":${JSON.stringify(name)}`
}

/** What stands behind the kernel. */
function endOfRow (outcome: CheckOutcome, baseline: Comparison | undefined): string {
  return `${baseline === undefined ? '' : `,"baseline":"${baseline}"`},${JSON.stringify(outcome).slice(1)}`
}
