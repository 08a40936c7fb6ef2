import { createHash } from 'node:crypto'
import { placeAt, type Cell, type CellTables } from '../cells.js'
import { failurePlace, failureSentence, lineOf, placelessLines } from '../failure-text.js'
import { folded, type Fold } from '../folded.js'
import { STATES, type CheckOutcome, type CheckState, type CheckSummary } from '../wire.js'
import { escapeMarkup as text } from './escape.js'
import { createGroups, inOrder, type Group } from './groups.js'
import { STYLE } from './html-style.js'
import type { Writer } from './writer.js'
import { sharedSentence } from '../../report/shared-advice.js'
import type { ReportSuggestion } from '../../wire/report.js'
import { count, firstOf } from '../../wire/words.js'

/** What a browser may do with the page: show it, in its own style, and nothing else. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  "base-uri 'none'; form-action 'none'"

/** A page by itself: the outcomes of each object with what explains them, then the matrix. Needs no script. */
export const writeHtml: Writer = async function * ({ objects, cells, counter, problem }) {
  yield '<!doctype html>\n<html lang="en">\n'
  const groups = createGroups()
  const grid: Grid = { tables: undefined, rows: new Map() }
  for await (const batch of cells) {
    groups.add(batch)
    grid.tables = batch.tables
    for (let i = 0; i < batch.length; i++) {
      const kernel = placeAt(batch.kernels, i)
      const ofKernel = grid.rows.get(kernel) ?? []
      ofKernel[placeAt(batch.objects, i)] = placeAt(batch.outcomes, i)
      grid.rows.set(kernel, ofKernel)
    }
  }
  const summary = counter.summary()
  yield '<head>\n<meta charset="utf-8">\n' +
    `<meta http-equiv="Content-Security-Policy" content="${text(PAGE_POLICY)}">\n` +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n' +
    `<title>${text(titleOf(summary))}</title>\n<style>${STYLE}</style>\n</head>\n<body>\n<main>\n`
  yield `<h1>${text(titleOf(summary))}</h1>\n<p>${text(countsOf(summary))}</p>\n`
  const error = problem()
  if (error !== undefined) yield `<p role="alert" class="alert">Not all rows could be answered. ${text(error.message)}</p>\n`
  for (const { name, sha256, warning } of objects) {
    yield `<section>\n<h2>${text(name)}</h2>\n`
    if (warning !== undefined) yield `<p class="warning">Warning: ${text(warning.message)}</p>\n`
    const own = groups.list().filter(({ object }) => object.sha256 === sha256)
    for (const group of inOrder(own.sort((a, b) => b.kernels.length - a.kernels.length))) yield groupOf(group)
    yield '</section>\n'
  }
  yield * matrix(objects, grid)
  yield '</main>\n</body>\n</html>\n'
}

function titleOf ({ verdict, objects, kernels }: CheckSummary): string {
  const what = `${count(objects.length, 'object')} on ${count(kernels, 'kernel')}`
  return verdict === 'passes' ? `${what}: passes` : verdict === 'fails' ? `${what}: fails` : `${what}: undecided`
}

function countsOf ({ states, engine, baseline }: CheckSummary): string {
  const counts = STATES.filter(state => states[state] > 0).map(state => `${states[state]} ${nameOf(state)}`).join(', ')
  const before = baseline === null
    ? ''
    : ` Against the baseline: ${baseline.same} as before, ${baseline.changed} changed, ${baseline.new} new.`
  return `${counts === '' ? 'No rows' : counts}. By corelo ${engine.version} (${engine.semantics}).${before}`
}

function groupOf ({ outcome, kernels, baseline }: Group): string {
  const { state } = outcome
  const before = baseline === 'same' ? ' <span class="known">as in the baseline</span>' : ''
  const head = `<h3><span class="state ${state}">${nameOf(state)}</span> on ${count(kernels.length, 'kernel')}${before}</h3>\n`
  const names = kernels.map(kernel => `<li>${text(kernel)}</li>`).join('\n')
  const list = kernels.length === 1
    ? `<p class="kernel">${text(kernels[0] ?? '')}</p>\n`
    : `<details><summary>${text(kernels[0] ?? '')} and ${kernels.length - 1} more</summary>\n` +
      `<ul class="kernels">\n${names}\n</ul></details>\n`
  return `<article>\n${head}${list}${state === 'loads' ? '' : explained(outcome)}</article>\n`
}

function explained (outcome: CheckOutcome): string {
  const { failures, failures_total: total } = outcome
  if (failures.length === 0) return placelessLines(outcome).map(line => `<p>${text(line)}</p>\n`).join('')
  const { shared, advised } = folded(failures)
  const first = shared.map(({ advice, detail, items }) =>
    `<p>${text(sharedSentence({ advice, detail }))}</p>\n${codeOf(advice.code)}` +
    `<details><summary>${text(firstOf(accessesOf(items), ACCESSES_NAMED))}</summary>\n` +
    `${listOf(items.map(fold => itemOf(fold, detail === undefined ? failureSentence(fold) : failurePlace(fold))))}</details>\n`)
  const more = total > failures.length ? `<p>and ${count(total - failures.length, 'more place')}</p>\n` : ''
  return `${first.join('')}${listOf(advised.map(({ fold, advice }) => itemOf(fold, failureSentence(fold), advice)))}${more}`
}

function listOf (items: readonly string[]): string { return items.length === 0 ? '' : `<ol>\n${items.join('\n')}\n</ol>\n` }

/** In the summary of what is folded. */
const ACCESSES_NAMED = 10

function accessesOf (folds: readonly Fold[]): string[] { return [...new Set(folds.map(([{ access }]) => access))] }

/** @param said what is said of the fold */
function itemOf ([failure]: Fold, said: string, advice?: ReportSuggestion): string {
  const { source } = failure
  const place = lineOf(failure)
  const shown = advice === undefined ? '' : `<details><summary>${text(advice.text)}</summary>${codeOf(advice.code)}</details>`
  return `<li>${place === undefined ? '' : `<b>${text(place)}</b> `}${text(said)}${codeOf(source?.text ?? '')}${shown}</li>`
}

function codeOf (code: string): string { return code.trim() === '' ? '' : `<pre><code>${text(code)}</code></pre>` }

/** Outcomes by kernel, in the order in which these came, and by object; all by their places in the tables. */
interface Grid {
  tables: CellTables | undefined
  readonly rows: Map<number, number[]>
}

/** Kernels below each other, objects beside each other. A state is a word, not only a colour. */
function * matrix (objects: ReadonlyArray<Cell['object']>, { tables, rows }: Grid): Generator<string> {
  const heads = objects.map(({ name }) => `<th scope="col">${text(name)}</th>`).join('')
  yield '<section>\n<h2 id="all">All kernels</h2>\n<div class="matrix" role="region" aria-labelledby="all" tabindex="0">\n' +
    `<table>\n<thead><tr><th scope="col">Kernel</th>${heads}</tr></thead>\n<tbody>\n`
  const columns = objects.map(({ sha256 }) => tables?.objects.findIndex(object => object.sha256 === sha256) ?? -1)
  for (const [kernel, ofKernel] of rows) {
    const cells = columns.map(column => {
      const state = tables?.outcomes[ofKernel[column] ?? -1]?.state
      return state === undefined ? '<td></td>' : `<td class="${state}">${nameOf(state)}</td>`
    })
    yield `<tr><th scope="row">${text(tables?.kernels[kernel] ?? '')}</th>${cells.join('')}</tr>\n`
  }
  yield '</tbody>\n</table>\n</div>\n</section>\n'
}

function nameOf (state: CheckState): string { return state.replace('_', ' ') }
