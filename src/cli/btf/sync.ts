import { AppError } from '../../errors.js'
import { readConfig } from '../../http/config.js'
import { matchesPattern } from '../../identity/pattern.js'
import { formatReference, type KernelReference } from '../../identity/reference.js'
import type { KernelEntry, OfferedEntry } from '../../kernels/types.js'
import { compareDebVersions } from '../../packages/versions.js'
import { createService } from '../../service/service.js'
import type { Service } from '../../service/types.js'
import { parseArguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { createProgress } from '../progress.js'
import { table } from '../table.js'
import { paintFor, say } from '../terminal.js'

export const spec: CommandSpec = {
  name: 'btf sync',
  operand: 'PATTERN',
  operandMeaning: 'the kernels to fetch, such as debian/12/x86_64/*',
  takesMany: true,
  summary: 'Fetches the BTF of published kernels ahead, from package repositories into the local cache.',
  options: {
    packages: { value: 'LIST', help: 'Presets and files of repositories, comma separated. Default: CORELO_PACKAGES.' },
    newest: { value: 'N', help: 'Only so many of each distribution, version and architecture, the highest releases first.' },
    'cache-dir': { value: 'DIR', help: 'The cache to fill. Default: CORELO_CACHE_DIR, else btfhub-cache.' },
    json: { help: 'Print JSON instead of a table.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: ['What is held already is not fetched again. The exit code is 1 where a kernel could not be fetched.']
}

/** Longest time for one kernel, in milliseconds. */
const KERNEL_MS = 60 * 60_000

interface Synced {
  readonly reference: string
  readonly state: 'held' | 'fetched' | 'failed'
  readonly package: string | undefined
  readonly bytes: number | undefined
  readonly reason?: string
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const given = options.getList('packages')
  const config = readConfig(process.env)
  const packages = given.length > 0 ? given : config.packages
  if (packages.length === 0) throw new AppError('invalid_request', 'No package repositories are known; name them with --packages or CORELO_PACKAGES, such as debian.')
  const newest = toCount(options.get('newest'))
  const service = createService({ ...config, packages, btfhubUrls: [], localKernel: false, cacheDir: options.get('cache-dir') ?? config.cacheDir }, {
    onWarning: (message, facts) => { say(`${message} ${JSON.stringify(facts)}`) }
  })
  try {
    await service.ready()
    await service.refreshCatalog()
    const wanted = select(await listOffered(service), options.operands, newest)
    if (wanted.length === 0) throw new AppError('kernel_unknown', `The package repositories publish no kernel ${options.operands.join(' ')}.`)
    const synced = await fetchAll(service, wanted)
    if (options.has('json')) process.stdout.write(`${JSON.stringify({ kernels: synced }, null, 2)}\n`)
    else printTable(synced)
    return synced.some(({ state }) => state === 'failed') ? ExitCode.FINDING : ExitCode.OK
  } finally {
    await service.close()
  }
}

function toCount (text: string | undefined): number {
  if (text === undefined) return Infinity
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new AppError('invalid_request', `--newest must be a whole number above 0, not ${JSON.stringify(text)}.`)
  return Number(text)
}

type Entry = KernelEntry | OfferedEntry

async function listOffered (service: Service): Promise<Entry[]> {
  const all: Entry[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Service['listKernels']>> = await service.listKernels({ offered: true, limit: 1000, ...(cursor === null ? {} : { cursor }) })
    all.push(...page.kernels)
    cursor = page.nextCursor
  } while (cursor !== null)
  return all
}

/** Those that fit a pattern; of each platform the newest. */
function select (entries: readonly Entry[], patterns: readonly string[], newest: number): Entry[] {
  const byPlatform = new Map<string, Entry[]>()
  for (const entry of entries) {
    if (!patterns.some(pattern => matchesPattern(pattern, entry.reference))) continue
    const key = platformOf(entry.reference)
    byPlatform.set(key, [...byPlatform.get(key) ?? [], entry])
  }
  return [...byPlatform.values()].flatMap(kernels => kernels.sort((a, b) => compareDebVersions(b.reference.release, a.reference.release)).slice(0, newest))
}

function platformOf ({ distro, distroVersion, arch }: KernelReference): string { return `${distro}/${distroVersion}/${arch}` }

async function fetchAll (service: Service, wanted: readonly Entry[]): Promise<Synced[]> {
  const progress = createProgress(process.stderr)
  const synced: Synced[] = []
  for (const [i, { reference, state, published }] of wanted.entries()) {
    const name = formatReference(reference)
    const common = { reference: name, package: published?.package, bytes: published?.bytes }
    progress.update(`${i + 1} of ${wanted.length}: ${name}`)
    try {
      if (state === 'offered') await service.getKernel(reference, { waitMs: KERNEL_MS })
      synced.push({ ...common, state: state === 'held' ? 'held' : 'fetched' })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      synced.push({ ...common, state: 'failed', reason: error.message })
    }
  }
  progress.clear()
  return synced
}

function printTable (synced: readonly Synced[]): void {
  const [head = '', ...rows] = table(['KERNEL', 'STATE', 'PACKAGE', 'BYTES'], synced.map(({ reference, state, package: name, bytes }) => [reference, state, name ?? '', String(bytes ?? '')]))
  process.stdout.write(`${[paintFor(process.stdout)('dim', head), ...rows].join('\n')}\n`)
  for (const { reference, reason } of synced) if (reason !== undefined) say(`${reference}: ${reason}`)
}
