import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { normalizeArch } from '../../identity/arch.js'
import { inForce, matchesName } from '../../kernels/matches.js'
import { toHeldJson } from '../../kernels/kernel-json.js'
import { openKernelIndex } from '../../kernels/kernel-index.js'
import type { KernelRecord } from '../../kernels/kernel-record.js'
import { formatReference, parseReference, type KernelReference } from '../../identity/reference.js'
import { parseArguments, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { CACHE_OPTION, requireOneCache, requireServerFor, SERVER_OPTIONS } from '../target-options.js'
import { table } from '../table.js'
import { placesOf } from '../target.js'
import { paintFor, say } from '../terminal.js'
import { readNetwork } from '../../settings/network-settings.js'
import type { HeldKernelJson } from '../../wire/kernel.js'

export const spec: CommandSpec = {
  name: 'btf list',
  summary: 'Lists the kernels whose BTF is in the local cache, or in a service.',
  options: {
    release: { value: 'REL', help: 'Only kernels of this release (uname -r).' },
    distro: { value: 'ID', help: 'Only those of this distribution.' },
    'distro-version': { value: 'VER', help: 'Only those of this version of it.' },
    arch: { value: 'ARCH', help: 'Only those of this architecture.' },
    ...CACHE_OPTION,
    server: { short: 's', value: 'URL', help: 'Ask this service instead of the local cache.' },
    'token-file': SERVER_OPTIONS['token-file'],
    json: { help: 'Print JSON instead of a table.' },
    help: { short: 'h', help: 'Print this text.' }
  }
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  requireServerFor(spec, options, ['token-file'])
  requireOneCache(spec, options)
  const server = options.get('server')
  if (server !== undefined) return await listRemotely(server, options)
  const directory = placesOf(options).cacheDir
  const records = (await readRecords(directory)).filter(({ reference }) => isWanted(reference, options))
  if (options.has('json')) {
    const kernels = records.map(record => toHeldJson({ ...record, state: 'held', sources: [record.source] }))
    process.stdout.write(`${JSON.stringify({ kernels }, null, 2)}\n`)
  } else {
    printTable(records, directory)
  }
  return ExitCode.OK
}

/** All pages of the service's list. JSON is as the service gives it. */
async function listRemotely (server: string, options: Arguments): Promise<ExitCode> {
  const { createClient } = await import('../../client/client.js')
  const client = createClient({ server, tokenFile: options.get('token-file'), network: readNetwork(process.env) })
  const kernels: HeldKernelJson[] = []
  for (let cursor: string | undefined, isLast = false; !isLast;) {
    const page = await client.kernels(cursor)
    const held = page.kernels.filter(kernel => kernel.btf_sha256 !== null)
    kernels.push(...held.filter(({ reference }) => isWanted(parseReference(reference), options)))
    isLast = page.nextCursor === null
    cursor = page.nextCursor ?? undefined
  }
  if (options.has('json')) {
    process.stdout.write(`${JSON.stringify({ kernels }, null, 2)}\n`)
  } else {
    printRows(kernels.map(kernel => [
      kernel.reference,
      shortHash(kernel.btf_sha256),
      String(kernel.bytes),
      String(kernel.types),
      String(kernel.modules.length),
      kernel.source
    ]), server)
  }
  return ExitCode.OK
}

/**
 * Every kernel of a cache, in the order of references, without what an operator replaced. A cache that is not there has none, and is
 * not made.
 */
export async function readRecords (directory: string): Promise<readonly KernelRecord[]> {
  if (!existsSync(join(directory, 'index'))) return []
  const index = await openKernelIndex({ directory })
  try {
    return index.list().filter(record => inForce(index.named(record.reference)).includes(record))
  } finally {
    await index.close()
  }
}

function isWanted (reference: KernelReference, options: Arguments): boolean {
  const [release, distro, distroVersion, arch] = ['release', 'distro', 'distro-version', 'arch'].map(name => options.get(name))
  if (release !== undefined && release !== reference.release) return false
  return matchesName({
    ...(distro === undefined ? {} : { distro }),
    ...(distroVersion === undefined ? {} : { distroVersion }),
    ...(arch === undefined ? {} : { arch: normalizeArch(arch) })
  }, reference)
}

function printTable (records: readonly KernelRecord[], directory: string): void {
  printRows(records.map(({ reference, btfSha256, bytes, types, modules, source }) => [
    formatReference(reference),
    shortHash(btfSha256),
    String(bytes),
    String(types),
    String(modules.length),
    source
  ]), directory)
}

function shortHash (hash: string): string { return hash.slice(0, 'sha256:'.length + 12) }

function printRows (kernels: ReadonlyArray<readonly string[]>, place: string): void {
  if (kernels.length > 0) {
    const [head = '', ...rows] = table(['KERNEL', 'BTF', 'BYTES', 'TYPES', 'MODULES', 'SOURCE'], kernels)
    process.stdout.write(`${[paintFor(process.stdout)('dim', head), ...rows].join('\n')}\n`)
  }
  say(`${kernels.length} ${kernels.length === 1 ? 'kernel' : 'kernels'} in ${place}`)
}
