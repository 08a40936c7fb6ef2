import { readFile } from 'node:fs/promises'
import type { Client } from '../client/client.js'
import type { RelocationAnswer } from '../client/relocation.js'
import { isPassing } from '../client/problem.js'
import { AppError } from '../errors.js'
import type { Sha256 } from '../store/sha256.js'
import type { Consultation, ModuleBtf } from './module-types.js'
import type { NodeKernel } from './node.js'

/** An object by its hash. */
interface Named {
  readonly object: Sha256
  readonly heldTag: string | undefined
  readonly signal: AbortSignal
}

/** Asks for relocations that consult the BTF of loaded modules, and gives the service what it lacks of that. */
export interface ModuleOffers {
  /**
   * By the hashes of all; with everything in the request where the service does not keep it.
   *
   * @returns undefined where the copy that is held is still the one
   * @throws AppError of the client
   */
  relocate(kernel: NodeKernel, modules: readonly ModuleBtf[], named: Named, object: Uint8Array): Promise<RelocationAnswer | undefined>
  /** Says that modules would have been consulted, had their BTF been allowed to leave the node. */
  withheld(kernel: NodeKernel, consultation: Consultation): void
}

export interface ModuleOffersOptions {
  readonly client: Client
  /** Told of modules whose BTF the service was given, or would not keep. */
  readonly onOffer: (kernel: NodeKernel, modules: readonly string[], error: AppError | undefined) => void
  readonly onWithheld: (kernel: NodeKernel, consultation: Consultation) => void
}

/** More do not fit into an address that every proxy takes. */
const MAX_BY_HASH = 48

export function createModuleOffers ({ client, onOffer, onWithheld }: ModuleOffersOptions): ModuleOffers {
  /** Hashes that the service was given or refused. */
  const offered = new Set<Sha256>()

  const offer = async (kernel: NodeKernel, modules: readonly ModuleBtf[], signal: AbortSignal): Promise<void> => {
    const { reference } = kernel
    if (reference === undefined) return
    const fresh = modules.filter(({ sha256 }) => !offered.has(sha256))
    const given: string[] = []
    for (const { name, path, sha256 } of fresh) {
      try {
        if (!await client.hasBtf(sha256, signal)) {
          await client.putKernelBtf(reference, await readFile(path), undefined, signal, name)
          given.push(name)
        }
      } catch (error) {
        if (!(error instanceof AppError) || isPassing(error)) throw error
        onOffer(kernel, [name], error)
      }
      offered.add(sha256)
    }
    if (given.length > 0) onOffer(kernel, given, undefined)
  }

  const byHash = async (btf: Sha256, modules: readonly ModuleBtf[], named: Named): Promise<RelocationAnswer | undefined | 'unknown'> => {
    try {
      return await client.relocate({ ...named, btfSha256: btf, moduleSha256s: modules.map(({ sha256 }) => sha256) })
    } catch (error) {
      if (error instanceof AppError && (error.code === 'object_unknown' || error.code === 'btf_unknown')) return 'unknown'
      throw error
    }
  }

  return {
    async relocate (kernel, modules, named, object) {
      const { btf } = kernel
      if (btf === undefined) throw new AppError('internal_error', 'Modules are consulted without vmlinux.')
      if (modules.length <= MAX_BY_HASH) {
        await offer(kernel, modules, named.signal)
        const answer = await byHash(btf.sha256, modules, named)
        if (answer !== 'unknown') return answer
      }
      const parts = await Promise.all([btf, ...modules].map(async ({ path }) => await readFile(path)))
      return await client.relocate({ ...named, object, btf: parts })
    },
    withheld: onWithheld
  }
}
