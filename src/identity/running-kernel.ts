import { readdir, readFile, stat } from 'node:fs/promises'
import { endianness, machine, release, version } from 'node:os'
import { basename, join } from 'node:path'
import { normalizeArch } from './arch.js'
import { readBelowRoot } from './below-root.js'
import { buildIdOfNotes, KERNEL_NOTES } from './build-id.js'
import { hostPlatform } from './host-platform.js'
import { parseOsRelease, toSegment, type OsRelease } from './os-release.js'
import type { Platform } from './platform.js'
import { formatReference, isSegment, type KernelReference } from './reference.js'

/** Where the kernel shows its own BTF and that of its modules. */
export const KERNEL_BTF_DIR = '/sys/kernel/btf'

/** The folder in which a container finds its host's root, where there is one. */
const HOST_ROOT = '/host'

export interface NamingOptions {
  /** Root of the host's file system, for its os-release. Undefined: `/host` where that is there, else `/`. */
  readonly hostRoot?: string | undefined
  /** What an operator says of the distribution, which counts over os-release. */
  readonly given?: Partial<Platform> | undefined
  /** Stands in for `uname -r`. */
  readonly release?: string | undefined
}

export interface RunningKernelOptions extends NamingOptions {
  readonly kernelBtfDir: string
}

/** The kernel that runs here, and its name where that can be told. */
export interface RunningName {
  /** Undefined where nothing tells whose kernel it is; `problem` says why then, and what to do. */
  readonly reference: KernelReference | undefined
  readonly problem: string | undefined
  /** Where the kernel is another distribution's than the one that is installed. */
  readonly note: string | undefined
  /** BTFHub's name. */
  readonly arch: string
  /** `uname -r`. */
  readonly release: string
  /** `uname -v`. */
  readonly kernelVersion: string
}

export interface RunningKernel extends RunningName {
  /** The file with its BTF. */
  readonly btfPath: string
  /** The GNU build-id in its notes, which are beside that BTF. Undefined where they are not shown. */
  readonly buildId: string | undefined
}

/**
 * The kernel that runs here, where it shows BTF. Its distribution is that of the host's os-release, which a container sees only where
 * the host's root is mounted.
 *
 * @returns undefined where the kernel shows no BTF of its own
 */
export async function findRunningKernel (options: RunningKernelOptions): Promise<RunningKernel | undefined> {
  const btfPath = join(options.kernelBtfDir, 'vmlinux')
  if (await stat(btfPath).then(file => !file.isFile(), () => true)) return undefined
  const notes = await readFile(join(options.kernelBtfDir, '..', basename(KERNEL_NOTES))).catch(() => undefined)
  const buildId = notes === undefined ? undefined : buildIdOfNotes(notes, endianness() === 'LE')
  return { ...await nameRunningKernel(options), btfPath, buildId }
}

/** Names the kernel that runs here, whether or not it shows BTF. Containers share it: `uname` tells the host's. */
export async function nameRunningKernel (options: NamingOptions): Promise<RunningName> {
  const root = options.hostRoot ?? (await isFolder(HOST_ROOT) ? HOST_ROOT : '/')
  const [arch, running, kernelVersion] = [toSegment(normalizeArch(machine())), toSegment(options.release ?? release()), version()]
  const host = hostPlatform({ osRelease: await readOsRelease(root), root, given: options.given, release: running, kernelVersion })
  const kernel = { arch, release: running, kernelVersion }
  return 'problem' in host
    ? { ...kernel, reference: undefined, problem: host.problem, note: undefined }
    : { ...kernel, reference: { ...host.platform, arch, release: running }, problem: undefined, note: host.note }
}

/** What to call the kernel that runs here: its whole reference, or its release where that is all that is known. */
export function nameOfRunning ({ reference, release }: RunningName): string {
  return reference === undefined ? release : formatReference(reference)
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

/** Every path is taken below the root: `/etc/os-release` may be an absolute link. */
async function readOsRelease (root: string): Promise<OsRelease | undefined> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const text = await readBelowRoot(root, path)
    if (text !== undefined) return parseOsRelease(text)
  }
  return undefined
}

async function isFolder (path: string): Promise<boolean> { return await stat(path).then(file => file.isDirectory(), () => false) }
