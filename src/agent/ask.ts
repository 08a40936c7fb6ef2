import { readFile } from 'node:fs/promises'
import type { AskedRelocation } from '../attestation/verify.js'
import type { Client, RelocationAnswer, RelocationRequest } from '../client/client.js'
import { answerError, isPassing } from '../client/problem.js'
import { AppError } from '../errors.js'
import { formatReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import type { NodeKernel } from './node.js'
import type { Trust } from './trust.js'

/** An object that is to be relocated for the node. */
export interface Wanted {
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  /** Entity tag of the copy that is held. */
  readonly heldTag: string | undefined
}

/** Asks the service for relocations, giving it what it lacks. */
export interface Asker {
  /**
   * A verified answer; undefined where the copy that is held is still the one.
   *
   * @throws AppError of the client, or of `Trust`
   */
  ask(kernel: NodeKernel, wanted: Wanted, signal: AbortSignal): Promise<VerifiedAnswer | undefined>
}

export interface VerifiedAnswer extends RelocationAnswer {
  /** Name of the key that signed it; undefined where results are not verified. */
  readonly keyId: string | undefined
}

/**
 * What an attestation has to be about. The node's own BTF settles the kernel; without it, it is the name that counts.
 *
 * @param name under which the kernel was asked for
 */
export function askedOf (kernel: NodeKernel, object: Sha256, name = formatReference(kernel.reference)): AskedRelocation {
  return { objectSha256: object, moduleSha256s: [], ...(kernel.btf === undefined ? { kernel: name } : { btfSha256: kernel.btf.sha256 }) }
}

export interface AskerOptions {
  readonly client: Client
  readonly trust: Trust
  /** Whether the service may have the node's BTF. */
  readonly uploadBtf: boolean
  /** Told where the BTF was given, and where the service did not want it. */
  readonly onOffer: (kernel: NodeKernel, error: AppError | undefined) => void
}

/** The object and the BTF may each be missing once; a service of several replicas may lose track of one. */
const MAX_TRIES = 4

export function createAsker ({ client, trust, uploadBtf, onOffer }: AskerOptions): Asker {
  /** Keys of kernels of which the service has the BTF, or does not want it. */
  const offered = new Set<string>()

  /** A fleet may have one kernel: whether the service has it costs less to ask than to send it. */
  const offer = async (kernel: NodeKernel, btf: NonNullable<NodeKernel['btf']>, signal: AbortSignal): Promise<void> => {
    if (offered.has(kernel.key) || await client.hasBtf(btf.sha256, signal)) {
      offered.add(kernel.key)
      return
    }
    try {
      await client.putKernelBtf(kernel.reference, await readFile(btf.path), kernel.kernelVersion, signal)
      onOffer(kernel, undefined)
    } catch (error) {
      if (!(error instanceof AppError) || isPassing(error)) throw error
      onOffer(kernel, error) // it can still go with each request
    }
    offered.add(kernel.key)
  }

  const request = async (wanted: RelocationRequest, kernel: NodeKernel, bytes: Uint8Array): Promise<RelocationAnswer | undefined> => {
    let current = wanted
    for (let tries = 1; ; tries++) {
      try {
        return await client.relocate(current)
      } catch (error) {
        if (!(error instanceof AppError) || tries === MAX_TRIES) throw error
        if (error.code === 'object_unknown' && current.object !== bytes) {
          current = { ...current, object: bytes }
        } else if (error.code === 'btf_unknown' && kernel.btf !== undefined && uploadBtf && current.btf === undefined) {
          current = { ...current, btfSha256: undefined, btf: [await readFile(kernel.btf.path)] }
        } else {
          throw error
        }
      }
    }
  }

  return {
    async ask (kernel, { bytes, sha256, heldTag }, signal) {
      const { btf } = kernel
      if (btf !== undefined && uploadBtf) await offer(kernel, btf, signal)
      const named = btf === undefined
        ? { kernel: { ...kernel.reference, kernelVersion: kernel.kernelVersion } }
        : { btfSha256: btf.sha256 } // its own BTF leaves no doubt, as a name may
      const answer = await request({ object: sha256, heldTag, signal, ...named }, kernel, bytes)
      if (answer === undefined) return undefined
      const keyId = await trust.require(answer, askedOf(kernel, sha256))
      requireOwnReport(answer, sha256, client.server)
      return { ...answer, keyId }
    }
  }
}

/** The report is not signed; one of another result must not stand beside the object. */
function requireOwnReport ({ report, sha256 }: RelocationAnswer, object: Sha256, server: string): void {
  if (report.result.sha256 === sha256 && report.object.sha256 === object) return
  throw answerError(server, `The answer is refused: its report is about another result (${report.result.sha256} of ${report.object.sha256}).`)
}
