import { AppError } from '../../errors.js'
import { kindOf } from '../../client/problem.js'
import { compilePattern, isPattern } from '../../identity/pattern.js'
import { formatReference } from '../../identity/reference.js'
import { newestOf } from '../../watch/newest.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { createProgress, type Progress } from '../progress.js'
import { requireServerFor, SERVER_OPTIONS } from '../target-options.js'
import { table } from '../table.js'
import { paintFor, say } from '../terminal.js'
import type { SyncKernel, SyncPlace } from './sync-place.js'

export const spec: CommandSpec = {
  name: 'btf sync',
  operand: 'PATTERN',
  operandMeaning: 'the kernels to fetch, such as debian/12/x86_64/*',
  takesMany: true,
  summary: 'Fetches the BTF of published kernels before anybody asks for it: from package repositories into the local cache, ' +
    'or has a service do it from its own sources.',
  options: {
    newest: { value: 'N', help: 'Only so many of each distribution, version and architecture, the highest releases first.' },
    packages: { value: 'LIST', help: 'Presets and files of repositories, comma separated. Default: CORELO_PACKAGES.' },
    'cache-dir': { value: 'DIR', help: 'The cache to fill. Default: CORELO_CACHE_DIR, else btfhub-cache.' },
    server: { short: 's', value: 'URL', help: 'Have this service fetch what its sources offer, instead.' },
    'token-file': SERVER_OPTIONS['token-file'],
    json: { help: 'Print JSON instead of a table.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'PATTERN is a reference in which * stands for any text within a part, the same of a release alone, or a lone *. ' +
    'What is held already is not fetched again.',
    'Exit codes: 0 all are held now; 1 some could not be fetched; 2 wrong use; 3 no kernel fits, or none could be fetched.'
  ]
}

/** Kernels that are fetched at once. A service that downloads fewer lets the others wait. */
const AT_ONCE = 2

interface Synced {
  readonly reference: string
  readonly state: 'held' | 'fetched' | 'failed'
  readonly package: string | undefined
  readonly bytes: number | undefined
  readonly reason?: string
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const wrong = options.operands.find(pattern => !isPattern(pattern))
  if (wrong !== undefined) {
    throw usageError(spec,
      `${JSON.stringify(wrong)} is no pattern of kernels: it must be <distro>/<distro_version>/<arch>/<kernel_release>, ` +
      'or a release, with * for any text within a part.')
  }
  const newest = toCount(options.get('newest'))
  const place = await open(options)
  try {
    const matchers = options.operands.map(compilePattern)
    const isAsked = ({ reference }: SyncKernel): boolean => matchers.some(fits => fits(reference))
    const offered = (await place.list(options.operands)).filter(isAsked)
    const wanted = newestOf(onceEach(offered), newest)
    if (wanted.length === 0) throw new AppError('kernel_unknown', `${place.offeredBy} no kernel ${options.operands.join(' or ')}.`)
    const synced = await fetchAll(place, wanted)
    if (options.has('json')) process.stdout.write(`${JSON.stringify({ kernels: synced }, null, 2)}\n`)
    else printTable(synced)
    const failed = synced.filter(({ state }) => state === 'failed').length
    const kernels = synced.length === 1 ? 'kernel is' : 'kernels are'
    const server = options.get('server')
    say(`${synced.length - failed} of ${synced.length} ${kernels} held${server === undefined ? '' : ` by ${server}`}`)
    return failed === 0 ? ExitCode.OK : failed < synced.length ? ExitCode.FINDING : ExitCode.CANNOT_TELL
  } finally {
    await place.close()
  }
}

/** A name is listed once for each content that is held for it. */
function onceEach (kernels: readonly SyncKernel[]): SyncKernel[] {
  const byName = new Map<string, SyncKernel>()
  for (const kernel of kernels) {
    const name = formatReference(kernel.reference)
    if (byName.get(name)?.isHeld !== true) byName.set(name, kernel)
  }
  return [...byName.values()]
}

async function open (options: Arguments): Promise<SyncPlace> {
  requireServerFor(spec, options, ['token-file'])
  const server = options.get('server')
  if (server === undefined) {
    const { syncLocally } = await import('./sync-locally.js')
    return await syncLocally({ packages: options.getList('packages'), cacheDir: options.get('cache-dir') })
  }
  if (options.has('cache-dir') || options.has('packages')) {
    throw usageError(spec,
      'With --server, leave --cache-dir and --packages out: the service has its own cache and sources.')
  }
  const { syncRemotely } = await import('./sync-remotely.js')
  return syncRemotely(server, options.get('token-file'))
}

function toCount (text: string | undefined): number {
  if (text === undefined) return Infinity
  if (!/^[1-9]\d{0,5}$/.test(text)) throw usageError(spec, `--newest must be a whole number above 0, not ${JSON.stringify(text)}.`)
  return Number(text)
}

async function fetchAll (place: SyncPlace, wanted: readonly SyncKernel[]): Promise<Synced[]> {
  const progress = createProgress(process.stderr)
  const synced: Synced[] = []
  const queue = [...wanted.entries()]
  let lost: AppError | undefined
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [i, kernel] = next
      // Nobody is there to be asked for the others.
      const reason = lost ?? await fetchOne(place, kernel, progress, `${i + 1} of ${wanted.length}: ${formatReference(kernel.reference)}`)
      if (reason !== undefined && kindOf(reason) === 'transport') lost = reason
      synced[i] = toSynced(kernel, reason)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  progress.clear()
  return synced
}

/** Why a kernel could not be fetched; undefined where it is held now. */
async function fetchOne (
  place: SyncPlace,
  { reference, isHeld }: SyncKernel,
  progress: Progress,
  what: string
): Promise<AppError | undefined> {
  progress.update(what)
  if (isHeld) return undefined
  try {
    await place.fetch(reference, how => { progress.update(`${what} (${how})`) })
    return undefined
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}

function toSynced ({ reference, isHeld, package: name, bytes }: SyncKernel, reason: AppError | undefined): Synced {
  const common = { reference: formatReference(reference), package: name, bytes }
  return reason === undefined ? { ...common, state: isHeld ? 'held' : 'fetched' } : { ...common, state: 'failed', reason: reason.message }
}

function printTable (synced: readonly Synced[]): void {
  const cells = synced.map(({ reference, state, package: name, bytes }) => [reference, state, name ?? '', String(bytes ?? '')])
  const [head = '', ...rows] = table(['KERNEL', 'STATE', 'PACKAGE', 'BYTES'], cells)
  process.stdout.write(`${[paintFor(process.stdout)('dim', head), ...rows].join('\n')}\n`)
  for (const { reference, reason } of synced) if (reason !== undefined) say(`${reference}: ${reason}`)
}
