import { readFile } from 'node:fs/promises'
import type { AttestedFindings } from '../attestation/findings.js'
import type { AskedRelocation } from '../attestation/verify.js'
import type { Client } from '../client/client.js'
import type { RelocationAnswer, RelocationRequest } from '../client/relocation.js'
import { answerError, isPassing } from '../client/problem.js'
import { AppError } from '../errors.js'
import type { Sha256 } from '../store/sha256.js'
import type { ModuleOffers } from './module-offers.js'
import { NOTHING_LACKING, unresolvedTypes, type Consultation, type ModuleTypes } from './module-types.js'
import type { NodeKernel } from './node.js'
import type { Trust } from './trust.js'

/** An object that is to be relocated for the node. */
export interface Wanted {
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  /** The copy that is held of it, if there is one. */
  readonly held: Held | undefined
}

/** What is held: its entity tag, and what it was made with. */
export interface Held {
  readonly tag: string | undefined
  /** Types that vmlinux lacks. */
  readonly lacking: readonly string[]
  readonly moduleSha256s: readonly Sha256[]
}

/** Asks the service for relocations, giving it what it lacks. */
export interface Asker {
  /**
   * A verified answer; undefined where the copy that is held is still the one.
   *
   * @throws AppError of the client, or of `Trust`; `kernel_unknown` where nothing tells which kernel this is
   */
  ask(kernel: NodeKernel, wanted: Wanted, signal: AbortSignal): Promise<VerifiedAnswer | undefined>
}

export interface VerifiedAnswer extends RelocationAnswer {
  /** Name of the key that signed it; undefined where results are not verified. */
  readonly keyId: string | undefined
  /** What the service signed of the result; what its report says where results are not verified. */
  readonly findings: Pick<AttestedFindings, 'verdict' | 'counts'>
  readonly consultation: Consultation
}

/**
 * What an attestation has to be about. The node's own BTF settles the kernel; without it, it is the name that counts.
 *
 * @param name under which the kernel was asked for
 */
export function askedOf (kernel: NodeKernel, object: Sha256, moduleSha256s: readonly Sha256[] = [], name = kernel.name): AskedRelocation {
  return { objectSha256: object, moduleSha256s, ...(kernel.btf === undefined ? { kernel: name } : { btfSha256: kernel.btf.sha256 }) }
}

export interface AskerOptions {
  readonly client: Client
  readonly trust: Trust
  /** Whether the service may have the node's BTF. */
  readonly uploadBtf: boolean
  readonly moduleTypes: ModuleTypes
  readonly moduleOffers: ModuleOffers
  /** Told where the BTF was given, and where the service did not want it. */
  readonly onOffer: (kernel: NodeKernel, error: AppError | undefined) => void
}

/** The object and the BTF may each be missing once; a service of several replicas may lose track of one. */
const MAX_TRIES = 4
/** What one answer lacks is asked for with the next. Types of one module may need those of another, which its own answer shows. */
const MAX_ROUNDS = 4

export function createAsker ({ client, trust, uploadBtf, moduleTypes, moduleOffers, onOffer }: AskerOptions): Asker {
  /** Keys of kernels of which the service has the BTF, or does not want it. */
  const offered = new Set<string>()

  /** A fleet may have one kernel: whether the service has it costs less to ask than to send it. */
  const offer = async (kernel: NodeKernel, btf: NonNullable<NodeKernel['btf']>, signal: AbortSignal): Promise<void> => {
    // What nobody can name goes with each request.
    if (offered.has(kernel.key) || kernel.reference === undefined || await client.hasBtf(btf.sha256, signal)) {
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

  const answerWith = async (
    kernel: NodeKernel,
    { bytes, sha256, held }: Wanted,
    { modules, lacking }: Consultation,
    signal: AbortSignal
  ): Promise<VerifiedAnswer | undefined> => {
    const hashes = modules.map(module => module.sha256)
    // A tag stands for the bytes of a result alone; what it was made with has to be the same too.
    const heldTag = held?.moduleSha256s.join() === hashes.join() ? held.tag : undefined
    const named = { object: sha256, heldTag, signal }
    // Its own BTF leaves no doubt, as a name may.
    const target = kernel.btf === undefined ? { kernel: kernel.query } : { btfSha256: kernel.btf.sha256 }
    const answer = modules.length > 0
      ? await moduleOffers.relocate(kernel, modules, { ...named, object: sha256 }, bytes)
      : await request({ ...named, ...target }, kernel, bytes)
    if (answer === undefined) return undefined
    if (answer.report.warnings.some(({ code }) => code === 'already_relocated')) throw relocatedBefore()
    const trusted = await trust.require(answer, askedOf(kernel, sha256, hashes))
    requireOwnReport(answer, sha256, client.server)
    return { ...answer, keyId: trusted?.keyId, findings: trusted?.findings ?? answer.report, consultation: { modules, lacking } }
  }

  return {
    async ask (kernel, wanted, signal) {
      if (kernel.btf === undefined && kernel.reference === undefined && kernel.query.buildId === undefined) {
        throw new AppError('kernel_unknown', kernel.problem ?? '', { kernel: kernel.name })
      }
      if (kernel.btf !== undefined && uploadBtf) await offer(kernel, kernel.btf, signal)
      let consultation = uploadBtf ? await moduleTypes.consult(kernel, wanted.held?.lacking ?? []) : NOTHING_LACKING
      for (let round = 1; ; round++) {
        const answer = await answerWith(kernel, wanted, consultation, signal)
        if (answer === undefined || kernel.btf === undefined) return answer
        const next = await moduleTypes.consult(kernel, [...consultation.lacking, ...unresolvedTypes(answer.report)])
        const isSettled = sameModules(next, consultation)
        if (isSettled || !uploadBtf) {
          if (!isSettled) moduleOffers.withheld(kernel, next)
          return { ...answer, consultation: { ...consultation, lacking: next.lacking } }
        }
        if (round === MAX_ROUNDS) {
          const message = 'The loaded modules change faster than the service can be asked about them.'
          throw new AppError('btf_unknown', message, { kernel: kernel.name })
        }
        consultation = next
      }
    }
  }
}

function sameModules (a: Consultation, b: Consultation): boolean {
  return a.modules.map(({ sha256 }) => sha256).join() === b.modules.map(({ sha256 }) => sha256).join()
}

/** Nobody vouches for such a result, and nobody can: it is for the kernel that it was first relocated for. */
function relocatedBefore (): AppError {
  return new AppError('object_invalid', 'The object was relocated before, and nothing tells for which kernel; ' +
    'give the agent the object as the compiler wrote it.', { warning: 'already_relocated' })
}

/** The report is not signed; one of another result must not stand beside the object. */
function requireOwnReport ({ report, sha256 }: RelocationAnswer, object: Sha256, server: string): void {
  if (report.result.sha256 === sha256 && report.object.sha256 === object) return
  throw answerError(server, 'The answer is refused: its report is about another result ' +
    `(${report.result.sha256} of ${report.object.sha256}).`)
}
