import { createHash } from 'node:crypto'
import { open, readFile, stat } from 'node:fs/promises'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { buildIdOfNotes, KERNEL_NOTES } from '../identity/build-id.js'
import type { Platform } from '../identity/platform.js'
import type { KernelQuery, KernelReference } from '../identity/reference.js'
import { listRunningModules, nameOfRunning, nameRunningKernel, type RunningModule } from '../identity/running-kernel.js'
import { sha256, type Sha256 } from '../store/sha256.js'

/** The kernel that this agent is for. */
export interface NodeKernel {
  /** Its whole reference; its release where nothing tells whose it is. */
  readonly name: string
  /** Undefined where nothing tells whose it is; `problem` says why then, and what to do. */
  readonly reference: KernelReference | undefined
  readonly problem: string | undefined
  /** Where it is another distribution's than the one that is installed. */
  readonly note: string | undefined
  /** All that is known of it, to ask for it by name. */
  readonly query: KernelQuery
  /** `uname -v`: tells builds of one release apart. */
  readonly kernelVersion: string
  /** The BTF that the kernel shows; undefined where it shows none. */
  readonly btf: { readonly path: string, readonly sha256: Sha256 } | undefined
  /** Loaded modules that show BTF, in the order of loading. */
  readonly modules: readonly RunningModule[]
  /** Changes with the loaded modules. */
  readonly modulesStamp: string
  /**
   * What a copy is good for, as 64 hex digits. Its BTF alone where there is one, since nothing else goes into a relocation but the BTF of
   * modules, which each copy names. Without it all that `uname` tells. The distribution is no part of it: it may be upgraded while the
   * kernel goes on, and is only how to ask.
   */
  readonly key: string
}

export interface NodeOptions {
  readonly kernelBtfDir: string
  readonly hostRoot?: string | undefined
  /** What an operator says of the distribution. */
  readonly distro?: string | undefined
  readonly distroVersion?: string | undefined
  /** Stands in for `uname -r`, where one node has to pass for another. */
  readonly kernelRelease?: string | undefined
  /** Where the kernel has its notes. */
  readonly kernelNotes?: string | undefined
  /** Where the kernel lists its modules, newest first. */
  readonly procModules?: string | undefined
}

/** Says which kernel runs here, each time anew: a node may be upgraded under what runs on it. */
export interface Node {
  identify(): Promise<NodeKernel>
}

export function createNode (options: NodeOptions): Node {
  let known: { readonly stamp: string, readonly sha256: Sha256 } | undefined
  const given: Partial<Platform> = {
    ...(options.distro === undefined ? {} : { distro: options.distro }),
    ...(options.distroVersion === undefined ? {} : { distroVersion: options.distroVersion })
  }

  /** Reading six megabytes every few seconds would be felt; a file that did not change is not read again. */
  const readBtf = async (): Promise<NodeKernel['btf']> => {
    const path = join(options.kernelBtfDir, 'vmlinux')
    const stamp = await stampOf(path)
    if (stamp === undefined) return undefined
    if (known?.stamp !== stamp) known = { stamp, sha256: await hashFile(path) }
    return { path, sha256: known.sha256 }
  }

  /** A kernel that only passes for another has a build-id which would say so. */
  const readBuildId = async (): Promise<string | undefined> => {
    if (options.kernelRelease !== undefined && options.kernelNotes === undefined) return undefined
    const notes = await readFile(options.kernelNotes ?? KERNEL_NOTES).catch(() => undefined)
    return notes === undefined ? undefined : buildIdOfNotes(notes, endianness() === 'LE')
  }

  return {
    async identify () {
      const running = await nameRunningKernel({ hostRoot: options.hostRoot, given, release: options.kernelRelease })
      const { arch, release, kernelVersion } = running
      const [btf, buildId] = [await readBtf(), await readBuildId()]
      const modules = btf === undefined ? [] : await listRunningModules(options.kernelBtfDir, options.procModules)
      const identity = btf === undefined ? sha256(`${arch}\n${release}\n${kernelVersion}`) : btf.sha256
      return {
        ...running,
        name: nameOfRunning(running),
        query: { arch, release, ...running.reference, kernelVersion, ...(buildId === undefined ? {} : { buildId }) },
        btf,
        modules,
        modulesStamp: modules.map(({ name, loadOrder }) => `${name}:${loadOrder ?? ''}`).join(' '),
        key: identity.slice('sha256:'.length)
      }
    }
  }
}

async function stampOf (path: string): Promise<string | undefined> {
  const file = await stat(path, { bigint: true }).catch(() => undefined)
  return file?.isFile() === true ? `${file.dev}:${file.ino}:${file.size}:${file.mtimeNs}` : undefined
}

/** Through one buffer: a stream, or the whole file, would be with the process for good. */
async function hashFile (path: string): Promise<Sha256> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(64 * 1024)
  const file = await open(path)
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length)
      if (bytesRead === 0) return `sha256:${hash.digest('hex')}`
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
