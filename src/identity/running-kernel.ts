import { readdir, readFile, stat } from 'node:fs/promises'
import { machine, release, version } from 'node:os'
import { join } from 'node:path'
import { normalizeArch } from './arch.js'
import { parseOsRelease, platformOf, toSegment, type OsRelease } from './os-release.js'
import { isSegment, type KernelReference } from './reference.js'

/** Where the kernel shows its own BTF and that of its modules. */
export const KERNEL_BTF_DIR = '/sys/kernel/btf'

/** The folder in which a container finds its host's root, where there is one. */
const HOST_ROOT = '/host'

export interface RunningKernelOptions {
  readonly kernelBtfDir: string
  /** Root of the host's file system, for its os-release. Undefined: `/host` where that has one, else `/`. */
  readonly hostRoot?: string | undefined
}

export interface RunningKernel {
  readonly reference: KernelReference
  /** `uname -v`. */
  readonly kernelVersion: string
  /** The file with its BTF. */
  readonly btfPath: string
}

/**
 * Names the kernel that runs here. Its distribution is that of the host's os-release, which a container sees only where the
 * host's root is mounted.
 *
 * @returns undefined where the kernel shows no BTF of its own
 */
export async function findRunningKernel (options: RunningKernelOptions): Promise<RunningKernel | undefined> {
  const btfPath = join(options.kernelBtfDir, 'vmlinux')
  if (await stat(btfPath).then(file => !file.isFile(), () => true)) return undefined
  return { ...await nameRunningKernel(options.hostRoot), btfPath }
}

/** The name of the kernel that runs here, whether or not it shows BTF. Containers share it: `uname` tells the host's. */
export async function nameRunningKernel (hostRoot: string | undefined): Promise<Omit<RunningKernel, 'btfPath'>> {
  const host = hostRoot === undefined
    ? await readOsRelease(HOST_ROOT) ?? await readOsRelease('/')
    : await readOsRelease(hostRoot)
  return {
    reference: {
      ...platformOf(host),
      arch: toSegment(normalizeArch(machine())),
      release: toSegment(release())
    },
    kernelVersion: version()
  }
}

/** A module of the running kernel that has BTF. */
export interface RunningModule {
  readonly name: string
  readonly btfPath: string
  /** Place in the order of loading; undefined where the kernel does not tell. */
  readonly loadOrder: number | undefined
}

/**
 * The modules that show BTF, in the order in which they were loaded, as far as that is known. It is the order of their BTF
 * ids, in which libbpf consults them, and the reverse of /proc/modules, where the kernel adds at the front.
 */
export async function listRunningModules (kernelBtfDir: string, procModules = '/proc/modules'): Promise<RunningModule[]> {
  const names = (await readdir(kernelBtfDir).catch(() => [])).filter(name => name !== 'vmlinux' && isSegment(name)).sort()
  const order = await loadOrder(procModules)
  return names
    .map(name => ({ name, btfPath: join(kernelBtfDir, name), loadOrder: order.get(name) }))
    .sort((a, b) => (a.loadOrder ?? Number.MAX_SAFE_INTEGER) - (b.loadOrder ?? Number.MAX_SAFE_INTEGER))
}

async function loadOrder (procModules: string): Promise<ReadonlyMap<string, number>> {
  const text = await readFile(procModules, 'utf8').catch(() => '')
  const newestFirst = text.split('\n').flatMap(line => line.split(' ', 1)[0] || [])
  return new Map(newestFirst.reverse().map((name, order) => [name, order]))
}

async function readOsRelease (root: string): Promise<OsRelease | undefined> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const text = await readFile(join(root, path), 'utf8').catch(() => undefined)
    if (text !== undefined) return parseOsRelease(text)
  }
  return undefined
}
