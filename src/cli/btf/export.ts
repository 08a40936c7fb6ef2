import { basename } from 'node:path'
import { AppError } from '../../errors.js'
import { openContentStore } from '../../store/content-store.js'
import { errorCode } from '../../store/error-code.js'
import type { KernelRecord } from '../../kernels/kernel-record.js'
import { compilePattern } from '../../identity/pattern.js'
import { formatReference, isSegment } from '../../identity/reference.js'
import { exportBundle, type ExportReport } from '../../import/export-bundle.js'
import { parseArguments, usageError, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { notWritten, ofEach, readInput } from '../files.js'
import { createProgress } from '../progress.js'
import { table } from '../table.js'
import { placesOf } from '../target.js'
import { paintFor, say } from '../terminal.js'
import { count } from '../../wire/words.js'
import { readRecords } from './list.js'

export const spec: CommandSpec = {
  name: 'btf export',
  operand: 'KERNEL',
  takesMany: true,
  summary: 'Packs the BTF of kernels in the local cache into one file, for a site without internet; or objects relocated for them.',
  options: {
    output: { short: 'o', value: 'OUT', help: 'The bundle: a .tar, or a .tar.gz where the name ends so.' },
    object: {
      value: 'OBJ',
      repeatable: true,
      help: 'Put this eBPF object, as relocated for each of the kernels, into the bundle instead of their BTF.'
    },
    modules: {
      value: 'all|none',
      help: 'Whether the BTF of modules goes with that of their kernels. With --object: whether it may be consulted. Default: all.'
    },
    'cache-dir': { value: 'DIR', help: 'The cache to take from. Default: CORELO_CACHE_DIR, else btfhub-cache.' },
    json: { help: 'Print what is in the bundle as JSON on standard output.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    "KERNEL is a kernel reference, in which * stands for any text within a part ('debian/12/*/*'), " +
    'or a bare release, or * alone for all that are held.',
    "A bundle of BTF is a tar archive in BTFHub's layout (<distro>/<distro_version>/<arch>/<kernel_release>.btf.tar.xz) " +
    'with a manifest of hashes before it: corelo btf import takes it, and so does CORELO_BTFHUB_DIR once it is unpacked. ' +
    'A bundle of objects has results/<object>/<reference>.bpf.o, which a loader on that kernel takes as it is; ' +
    'corelo btf import --results DIR checks and unpacks them.',
    'Exit codes: 0 done; 1 an object has no result for one of the kernels; 2 wrong use; 3 a kernel is not held.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const path = options.get('output')
  const modules = options.get('modules') ?? 'all'
  if (path === undefined) throw usageError(spec, 'Say where the bundle goes: -o OUT.')
  if (modules !== 'all' && modules !== 'none') throw usageError(spec, `--modules is all or none, not ${modules}.`)
  const directory = placesOf(options).cacheDir
  const records = select(await readRecords(directory), options.operands, directory)
  const objects = ofEach(options.getAll('object'), 'object', file => ({ name: nameOf(file), bytes: readInput(file, 'object') }))
  if (new Set(objects.map(({ name }) => name)).size < objects.length) {
    throw usageError(spec, 'Two of the objects have the same name, which is what tells them apart in the bundle.')
  }

  const progress = createProgress(process.stderr)
  const store = openContentStore({ directory })
  try {
    const report = await exportBundle({
      path,
      records,
      store,
      withModules: modules === 'all',
      objects: objects.length === 0 ? undefined : objects,
      onProgress: text => progress.update(text)
    })
    progress.clear()
    if (options.has('json')) {
      const kernels = records.map(({ reference }) => formatReference(reference))
      process.stdout.write(`${JSON.stringify({ kernels, results: report.results, failures: report.failures }, null, 2)}\n`)
    } else {
      print(path, report)
    }
    return report.failures.length === 0 ? ExitCode.OK : ExitCode.FINDING
  } catch (error) {
    // What cannot be read of the cache is an AppError: an error of the file system is one of the bundle.
    throw error instanceof AppError || errorCode(error) === undefined ? error : notWritten(path, error)
  } finally {
    progress.clear()
    await store.close()
  }
}

/** @throws AppError `kernel_unknown` where a pattern fits nothing that is held */
function select (records: readonly KernelRecord[], patterns: readonly string[], directory: string): KernelRecord[] {
  const selected = new Map<string, KernelRecord>()
  for (const pattern of patterns) {
    const fits = compilePattern(pattern)
    const matching = records.filter(({ reference }) => fits(reference))
    if (matching.length === 0) {
      throw new AppError('kernel_unknown',
        `${directory} holds no kernel ${pattern}; corelo btf list shows what it holds.`, { kernel: pattern })
    }
    for (const record of matching) selected.set(formatReference(record.reference), record)
  }
  return [...selected.values()].sort((a, b) => formatReference(a.reference) < formatReference(b.reference) ? -1 : 1)
}

/** `exec.bpf.o` as exec, the name that results are filed under. */
function nameOf (file: string): string {
  const name = basename(file).replace(/(?:\.bpf)?\.o$/, '')
  if (!isSegment(name)) throw usageError(spec, `The object's name ${JSON.stringify(name)} cannot be that of a folder; rename the file.`)
  return name
}

function print (path: string, { kernels, modules, results, failures }: ExportReport): void {
  const paint = paintFor(process.stderr)
  if (results.length > 0) {
    const cells = results.map(({ object, reference, verdict }) => [object, reference, verdict])
    const [head = '', ...rows] = table(['OBJECT', 'KERNEL', 'VERDICT'], cells)
    process.stdout.write(`${[paintFor(process.stdout)('dim', head), ...rows].join('\n')}\n`)
  }
  for (const { object, reference, reason } of failures) say(`${paint('yellow', 'left out:')} ${object} for ${reference}: ${reason}`)
  say(results.length > 0 || failures.length > 0
    ? `${path}: ${count(results.length, 'relocated object')} for ${count(kernels, 'kernel')}`
    : `${path}: ${count(kernels, 'kernel')} with ${count(modules, 'module')}`)
}
