import type { Cell } from '../types.js'
import type { CheckOutcome } from '../wire.js'
import { grouped, type Group } from './groups.js'
import type { Writer, Written } from './writer.js'

/** One document: `{ "rows": […], "summary": {…} }`; `problem` stands in for `summary` where not all rows could be answered. */
export const writeJson: Writer = async function * (written) {
  yield '{"rows":['
  let isFirst = true
  for await (const row of rowsOf(written)) {
    yield isFirst ? `\n${row}` : `,\n${row}`
    isFirst = false
  }
  yield `\n],${endOf(written)}}\n`
}

/** A row a line, then a line with the summary, or with the problem for which there is none. */
export const writeNdjson: Writer = async function * (written) {
  for await (const row of rowsOf(written)) yield `${row}\n`
  yield `{${endOf(written)}}\n`
}

async function * rowsOf ({ cells, isGrouped }: Written): AsyncGenerator<string> {
  if (isGrouped) for (const group of await grouped(cells)) yield rowJson(group)
  else for await (const cell of cells) yield rowJson(cell)
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
  const head = {
    object: object.sha256,
    object_name: object.name,
    ...('kernels' in row ? { kernels: row.kernels } : { kernel: row.kernel }),
    ...(baseline === undefined ? {} : { baseline })
  }
  return `${JSON.stringify(head).slice(0, -1)},${text}`
}
