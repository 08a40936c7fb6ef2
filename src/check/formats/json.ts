import type { Cell } from '../types.js'
import type { CheckOutcome } from '../wire.js'
import { grouped, type Group } from './groups.js'
import type { Writer, Written } from './writer.js'

/** One document: `{ "rows": […], "summary": {…} }`; `problem` stands in for `summary` where not all rows could be answered. */
export const writeJson: Writer = async function * (written) {
  yield '{"rows":['
  let isFirst = true
  for await (const rows of rowsOf(written)) {
    yield `${isFirst ? '' : ','}\n${rows.join(',\n')}`
    isFirst = false
  }
  yield `\n],${endOf(written)}}\n`
}

/** A row a line, then a line with the summary, or with the problem for which there is none. */
export const writeNdjson: Writer = async function * (written) {
  for await (const rows of rowsOf(written)) yield `${rows.join('\n')}\n`
  yield `{${endOf(written)}}\n`
}

async function * rowsOf ({ cells, isGrouped }: Written): AsyncGenerator<readonly string[]> {
  if (isGrouped) for (const group of await grouped(cells)) yield [rowJson(group)]
  else for await (const some of cells) yield some.map(rowJson)
}

function endOf ({ counter, problem }: Written): string {
  const error = problem()
  return error === undefined
    ? `"summary":${JSON.stringify(counter.summary())}`
    : `"summary":null,"problem":${JSON.stringify({ code: error.code, detail: error.message, ...error.details })}`
}

/** Of thousands of rows few say something of their own. */
const texts = new WeakMap<CheckOutcome, string>()

function rowJson (row: Cell | Group): string {
  const { object, outcome, baseline } = row
  let text = texts.get(outcome)
  if (text === undefined) texts.set(outcome, text = JSON.stringify(outcome).slice(1))
  const kernels = 'kernels' in row ? `"kernels":${JSON.stringify(row.kernels)}` : `"kernel":${JSON.stringify(row.kernel)}`
  return `${headOf(object)},${kernels}${baseline === undefined ? '' : `,"baseline":"${baseline}"`},${text}`
}

const heads = new WeakMap<Cell['object'], string>()

function headOf (object: Cell['object']): string {
  let head = heads.get(object)
  if (head === undefined) heads.set(object, head = `{"object":"${object.sha256}","object_name":${JSON.stringify(object.name)}`)
  return head
}
