import { cellsIn, type Cell, type CellBatch } from '../cells.js'
import { explanationOf, MEANINGS } from '../failure-text.js'
import { escapeAttribute, escapeMarkup } from './escape.js'
import { grouped, type Group } from './groups.js'
import type { Writer } from './writer.js'
import { count } from '../../wire/words.js'

/**
 * JUnit's XML: a suite for each object, a case for each row. What fails is a failure, what cannot be told an error, and what was so in
 * the earlier answer is skipped. There is no standard; this has what the schemas of Ant and of Jenkins ask for both.
 *
 * @see https://github.com/windyroad/JUnit-Schema
 * @see https://github.com/jenkinsci/xunit-plugin
 */
export const writeJunit: Writer = async function * ({ objects, cells, isGrouped, counter, problem }) {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n'
  const groups: readonly Group[] = isGrouped ? await grouped(cells) : []
  const batches: CellBatch[] = []
  if (!isGrouped) for await (const batch of cells) batches.push(batch)
  const error = problem()
  const { ms } = counter.summary()
  const seconds = (ms / 1000).toFixed(3)
  yield '<testsuites>\n'
  const timestamp = new Date().toISOString().slice(0, 19)
  const suiteHead = (name: string, id: number, counts: string): string =>
    `<testsuite name="${escapeAttribute(name)}" package="corelo" id="${id}" ${counts} time="${seconds}" ` +
    `timestamp="${timestamp}" hostname="localhost">\n`
  for (const [id, { name, sha256, warning }] of objects.entries()) {
    const rowsOfObject = (): Iterable<Cell | Group> =>
      isGrouped ? groups.filter(({ object }) => object.sha256 === sha256) : cellsOf(sha256, batches)
    const { passed, failures, errors, skipped } = countsOf(rowsOfObject())
    const tests = passed + failures + errors + skipped
    yield suiteHead(name, id, `tests="${tests}" failures="${failures}" errors="${errors}" skipped="${skipped}"`)
    yield `<properties><property name="object" value="${sha256}"/></properties>\n`
    let cases = ''
    for (const row of rowsOfObject()) {
      cases += caseOf(row)
      if (cases.length < PIECE_LENGTH) continue
      yield cases
      cases = ''
    }
    yield cases
    const warned = warning === undefined ? '<system-err/>' : `<system-err>${escapeMarkup(warning.message)}</system-err>`
    yield `<system-out/>${warned}\n</testsuite>\n`
  }
  if (error !== undefined) {
    yield suiteHead('corelo check', objects.length, 'tests="1" failures="0" errors="1" skipped="0"')
    yield `<properties/>\n<testcase classname="corelo" name="all rows are answered" time="0"><error type="${error.code}" ` +
      `message="${escapeAttribute(error.message)}"/></testcase>\n<system-out/><system-err/>\n</testsuite>\n`
  }
  yield '</testsuites>\n'
}

/** Characters of cases that are handed on together: to hand on each takes longer than to write it. */
const PIECE_LENGTH = 16 * 1024

/** Rows of one object. They are made when they are written: an object for each of all would stay until then. */
function * cellsOf (sha256: string, batches: readonly CellBatch[]): Generator<Cell> {
  for (const batch of batches) yield * cellsIn(batch, batch.tables.objects.findIndex(object => object.sha256 === sha256))
}

type Kind = 'passed' | 'failures' | 'errors' | 'skipped'

function kindOf ({ outcome: { state }, baseline }: Pick<Cell, 'outcome' | 'baseline'>): Kind {
  if (state === 'loads') return 'passed'
  if (baseline === 'same') return 'skipped'
  return state === 'fails' || state === 'unresolvable' ? 'failures' : 'errors'
}

function countsOf (rows: Iterable<Pick<Cell, 'outcome' | 'baseline'>>): Record<Kind, number> {
  const counts = { passed: 0, failures: 0, errors: 0, skipped: 0 }
  for (const row of rows) counts[kindOf(row)]++
  return counts
}

function caseOf (row: Cell | Group): string {
  const { object, outcome } = row
  const name = 'kernel' in row ? row.kernel : nameOfGroup(row.kernels)
  const head = `<testcase classname="${escapeAttribute(object.name)}" name="${escapeAttribute(name)}" time="0"`
  const kind = kindOf(row)
  if (kind === 'passed') return `${head}/>\n`
  const message = escapeAttribute(kind === 'skipped'
    ? `As in the baseline. ${MEANINGS[outcome.state]}`
    : outcome.reason ?? MEANINGS[outcome.state])
  if (kind === 'skipped') return `${head}><skipped message="${message}"/></testcase>\n`
  const element = kind === 'failures' ? 'failure' : 'error'
  const kernels = 'kernels' in row && row.kernels.length > KERNELS_NAMED ? ['', 'Kernels:', ...row.kernels] : []
  const text = escapeMarkup([...explanationOf(outcome, object.name), ...kernels].join('\n'))
  return `${head}><${element} type="${outcome.state}" message="${message}">${text}</${element}></testcase>\n`
}

function nameOfGroup (kernels: readonly string[]): string {
  return `${count(kernels.length, 'kernel')}: ${kernels.slice(0, KERNELS_NAMED).join(', ')}`
}

/** In the name of a case of many kernels. */
const KERNELS_NAMED = 3
