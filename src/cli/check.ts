import { createBaseline, compared } from '../check/baseline.js'
import { createBatches } from '../check/cell-batches.js'
import { CELLS_AT_ONCE, type CellBatch, type Cells } from '../check/cells.js'
import { FORMATS, type FormatType } from '../check/formats/formats.js'
import { createGroups, type Groups } from '../check/formats/groups.js'
import { endingCells, type Writer } from '../check/formats/writer.js'
import { parseEarlier } from '../check/parse.js'
import { createSummaryCounter, type SummaryCounter } from '../check/summary.js'
import type { CheckVerdict } from '../check/wire.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from './arguments.js'
import type { CheckSource } from './check-source.js'
import { createCheckTable } from './check-table.js'
import { ExitCode } from './exit-code.js'
import { ofEach, readInput, writeOutput } from './files.js'
import { CACHE_OPTION, requireOneCache, requireServerFor, SERVER_OPTIONS } from './target-options.js'
import { placesOf } from './target.js'
import { warnOfObjects } from './object-warnings.js'

export const spec: CommandSpec = {
  name: 'check',
  operand: 'OBJECT',
  operandMeaning: 'an eBPF object to check; more may follow',
  takesMany: true,
  summary: 'Says on which kernels objects load, and why not on the others.',
  options: {
    kernels: {
      short: 'k',
      value: 'PATTERN',
      repeatable: true,
      help: 'Kernels: <distro>/<distro_version>/<arch>/<kernel_release> or a release (uname -r), with * for any text within a part. ' +
        "'*' alone is every kernel in the cache, or that the service holds."
    },
    'kernels-file': {
      value: 'FILE',
      repeatable: true,
      help: 'File of such patterns, a line each; what follows # is a comment.'
    },
    baseline: {
      value: 'FILE',
      help: 'An earlier output of --json: what is as it was then does not fail the check.'
    },
    ...CACHE_OPTION,
    ...SERVER_OPTIONS,
    fetch: { help: 'With --server: have the service fetch kernels that it does not hold.' },
    json: { help: 'Print the rows as JSON on standard output.' },
    junit: { value: 'FILE', help: 'Write JUnit XML, a test case for each object and kernel.' },
    sarif: { value: 'FILE', help: 'Write SARIF 2.1.0, a result for each failing place.' },
    html: { value: 'FILE', help: 'Write a page with all outcomes.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'Kernels with equal outcomes are shown together. What fails is explained with its source line, and with code to write instead.',
    'corelo btf sync and corelo btf import fill the local cache. The running kernel counts as well.',
    'Exit codes: 0 every object loads on every kernel, or is as in the baseline; 1 one fails; 2 wrong use; ' +
    '3 none fails, but of one it cannot be told: the verdict is unknown, the kernel is unknown or not fetched, the service is down.'
  ]
}

const FILES = { junit: 'application/xml', sarif: 'application/sarif+json', html: 'text/html' } as const satisfies Record<string, FormatType>

const EXIT_CODES: Readonly<Record<CheckVerdict, ExitCode>> = {
  passes: ExitCode.OK,
  fails: ExitCode.FINDING,
  undecided: ExitCode.CANNOT_TELL
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const started = performance.now()
  const options = parseArguments(spec, args)
  requireServerFor(spec, options, ['token-file', 'fetch'])
  requireOneCache(spec, options)
  const patterns = patternsOf(options)
  const earlier = options.get('baseline')
  const baseline = earlier === undefined ? undefined : createBaseline(await parseEarlier(readText(earlier, 'baseline')))
  const objects = ofEach(options.operands, 'object', path => ({ path, bytes: readInput(path, 'object') }))
  const source = options.has('server')
    ? await (await import('./check-remotely.js')).checkRemotely(options, objects, patterns)
    : await (await import('./check-locally.js')).checkLocally(objects, patterns, placesOf(options))
  const counter = createSummaryCounter(source.objects, { comparison: baseline !== undefined, started })
  const groups = createGroups()
  try {
    const cells = baseline === undefined ? source.cells : compared(source.cells, baseline)
    const keepsAll = ['json', 'junit', 'html'].some(option => options.has(option))
    const kept = await collect(cells, { counter, groups, rows: source.rows, keepsAll })
    const exitCode = EXIT_CODES[counter.summary().verdict]
    process.exitCode = exitCode // also where nobody reads the answer to its end
    await writeForms(options, { objects: source.objects, comparison: baseline !== undefined, started }, kept, groups)
    warnOfObjects(source.objects)
    return exitCode
  } finally {
    await source.close()
  }
}

interface Collecting {
  readonly counter: SummaryCounter
  readonly groups: Groups
  readonly rows: number | undefined
  /** Whether a form of the answer has each row for itself. */
  readonly keepsAll: boolean
}

async function collect (cells: Cells, { counter, groups, rows, keepsAll }: Collecting): Promise<CellBatch[]> {
  const kept: CellBatch[] = []
  const shown = createCheckTable(process.stderr, rows)
  try {
    for await (const batch of cells) {
      counter.add(batch)
      groups.add(batch)
      if (keepsAll) kept.push(batch)
      shown.update(groups.list(), counter)
    }
  } finally {
    shown.end(groups.list(), counter)
  }
  return kept
}

/** What each form of the answer says beside the rows. */
interface Frame {
  readonly objects: CheckSource['objects']
  /** Whether rows are compared with an earlier answer. */
  readonly comparison: boolean
  /** When the check began, by `performance.now()`. */
  readonly started: number
}

async function writeForms (options: Arguments, frame: Frame, kept: readonly CellBatch[], groups: Groups): Promise<void> {
  for (const [option, type] of Object.entries(FILES)) {
    const path = options.get(option)
    if (path === undefined) continue
    const batches = option === 'sarif' ? batchesOf(groups) : kept
    const pieces: Buffer[] = []
    for await (const piece of written(type, frame, batches)) pieces.push(Buffer.from(piece))
    writeOutput(path, Buffer.concat(pieces))
  }
  if (!options.has('json')) return
  for await (const piece of written('application/json', frame, kept)) {
    if (!process.stdout.write(piece)) await new Promise<void>(resolve => { process.stdout.once('drain', resolve) })
  }
}

function written (type: FormatType, { objects, ...options }: Frame, batches: readonly CellBatch[]): ReturnType<Writer> {
  const counter = createSummaryCounter(objects, options)
  const ending = endingCells(oneByOne(batches), counter, error => {
    throw error instanceof Error ? error : new Error(String(error))
  })
  return FORMATS[type]({ objects, counter, isGrouped: false, ...ending })
}

async function * oneByOne (batches: readonly CellBatch[]): AsyncGenerator<CellBatch> { yield * batches }

function batchesOf (groups: Groups): CellBatch[] {
  const cells = groups.list().flatMap(({ kernels, ...group }) => kernels.map(kernel => ({ ...group, kernel })))
  const batchOf = createBatches()
  return Array.from({ length: Math.ceil(cells.length / CELLS_AT_ONCE) }, (_, i) =>
    batchOf(cells.slice(i * CELLS_AT_ONCE, (i + 1) * CELLS_AT_ONCE)))
}

function patternsOf (options: Arguments): string[] {
  const inFiles = options.getAll('kernels-file').flatMap(path => readText(path, 'list of kernels').split('\n'))
    .map(line => line.replace(/#.*/, '').trim()).filter(line => line !== '')
  const patterns = [...options.getAll('kernels'), ...inFiles]
  if (patterns.length === 0) {
    throw usageError(spec, options.has('kernels-file')
      ? 'The file of --kernels-file names no kernel.'
      : "Say which kernels: --kernels PATTERN, such as --kernels 'ubuntu/20.04/x86_64/*', or --kernels-file FILE.")
  }
  return patterns
}

function readText (path: string, what: string): string { return Buffer.from(readInput(path, what)).toString() }
