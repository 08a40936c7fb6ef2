import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { KernelReference } from '../identity/reference.js'
import { nameRunningKernel } from '../identity/running-kernel.js'
import { sha256, type Sha256 } from '../store/sha256.js'

/** The kernel that this agent is for. */
export interface NodeKernel {
  readonly reference: KernelReference
  /** `uname -v`: tells builds of one release apart. */
  readonly kernelVersion: string
  /** The BTF that the kernel shows; undefined where it shows none. */
  readonly btf: { readonly path: string, readonly sha256: Sha256 } | undefined
  /**
   * What a copy is good for, as 64 hex digits. Its BTF alone where there is one, since nothing else goes into a relocation. Without it all
   * that `uname` tells. The distribution is no part of it: it may be upgraded while the kernel goes on, and is only how to ask.
   */
  readonly key: string
}

export interface NodeOptions {
  readonly kernelBtfDir: string
  readonly hostRoot: string | undefined
  /** Stands in for `uname -r`, where one node has to pass for another. */
  readonly kernelRelease: string | undefined
}

/** Says which kernel runs here, each time anew: a node may be upgraded under what runs on it. */
export interface Node {
  identify(): Promise<NodeKernel>
}

export function createNode (options: NodeOptions): Node {
  let known: { readonly stamp: string, readonly sha256: Sha256 } | undefined

  /** Reading six megabytes every few seconds would be felt; a file that did not change is not read again. */
  const readBtf = async (): Promise<NodeKernel['btf']> => {
    const path = join(options.kernelBtfDir, 'vmlinux')
    const file = await stat(path, { bigint: true }).catch(() => undefined)
    if (file?.isFile() !== true) return undefined
    const stamp = `${file.dev}:${file.ino}:${file.size}:${file.mtimeNs}`
    if (known?.stamp !== stamp) known = { stamp, sha256: await hashFile(path) }
    return { path, sha256: known.sha256 }
  }

  return {
    async identify () {
      const { reference: running, kernelVersion } = await nameRunningKernel(options.hostRoot)
      const reference = options.kernelRelease === undefined ? running : { ...running, release: options.kernelRelease }
      const btf = await readBtf()
      const identity = btf === undefined ? sha256(`${reference.arch}\n${reference.release}\n${kernelVersion}`) : btf.sha256
      return { reference, kernelVersion, btf, key: identity.slice('sha256:'.length) }
    }
  }
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
