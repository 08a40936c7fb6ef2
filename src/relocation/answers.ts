import { LRUCache } from 'lru-cache'
import { applyPatches, type Patches } from '../core/index.js'
import { AppError } from '../errors.js'
import type { Sha256 } from '../store/sha256.js'
import type { RelocatedObject } from '../workers/protocol.js'
import type { Attestations } from './attestations.js'
import type { Target } from './targets.js'
import type { RelocateAnswer, RelocateRequest, Timing } from './types.js'

/** A result, and what it took to get it. */
export interface Outcome extends RelocatedObject {
  /** The object that the patches are for. */
  readonly object: Uint8Array
  /** Milliseconds. */
  readonly fetchMs: number
}

/** What is asked of a result: the request, the hash of its object, and the BTFs that it means. */
export interface Question {
  readonly request: RelocateRequest
  readonly objectSha256: Sha256
  readonly target: Target
}

/** What the service says of its results. */
export interface Answers {
  /**
   * Of a result that was just made.
   *
   * @throws AppError `unresolved_reachable`
   */
  ofNew(outcome: Outcome, question: Question, timing: Timing): RelocateAnswer
  /**
   * Of a result that is held: the same object for the same question, each time, so that what follows from it can be kept with
   * it. But not for a name that only the caller gives to a BTF, of which there is no end.
   *
   * @throws AppError `unresolved_reachable`
   */
  ofHeld(outcome: Outcome, question: Question): RelocateAnswer
  /** Name of the key that signs now. */
  keyId(): string
  /** Lets go of what is kept of a result that is held no more. */
  forget(outcome: Outcome): void
}

/** An answer, and what it depends on that it does not say itself. */
interface Kept {
  readonly answer: RelocateAnswer
  readonly hasReport: boolean
  readonly isNamed: boolean
  readonly keyId: string
}

/** Questions to which one result is the answer: kernels that share a BTF. More of them take turns. */
const MAX_QUESTIONS = 8
/**
 * Results whose answers are kept, the last ones asked for: with its headers and envelope, an answer weighs more than the patches of most
 * results.
 */
const MAX_KEPT = 1024
/**
 * Patched objects that are kept whole, in bytes: those that a fleet asks for at the moment, each of which is made once and not for every
 * request.
 */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024
const AT_ONCE: Timing = { resolve: 0, fetch: 0, parse: 0, relocate: 0 }

export function createAnswers (attestations: Attestations): Answers {
  const kept = new LRUCache<Outcome, Kept[]>({ max: MAX_KEPT })
  const whole = new LRUCache<Patches, Uint8Array>({ maxSize: MAX_WHOLE_BYTES, sizeCalculation: bytes => Math.max(1, bytes.length) })

  const bytesOf = ({ object, patches }: Outcome, isHeld: boolean): Uint8Array => {
    const known = whole.get(patches)
    if (known !== undefined) return known
    const made = applyPatches(object, patches, Buffer.allocUnsafeSlow)
    if (isHeld) whole.set(patches, made)
    return made
  }

  /** Of what came relocated nobody here knows for which kernel it is. */
  const attest = (outcome: Outcome, facts: Parameters<Attestations['of']>[1]): string | undefined =>
    outcome.isAlreadyRelocated ? undefined : attestations.of(outcome, facts)

  const make = (outcome: Outcome, { request, objectSha256, target }: Question, timing: Timing, cached: boolean): RelocateAnswer => {
    const { object, sha256, counts: { resolved, absent, poisoned }, verdict, assumes, isAlreadyRelocated, report } = outcome
    const result = { objectSha256, btfSha256: target.btf, moduleSha256s: target.modules }
    return {
      get bytes () { return bytesOf(outcome, cached) },
      byteLength: object.length,
      sha256,
      ...result,
      kernel: target.kernel,
      buildId: target.records[0]?.buildId,
      warning: target.warning,
      source: target.source,
      verdict,
      counts: { resolved, absent, poisoned },
      assumes,
      isAlreadyRelocated,
      report: request.wantsReport ? report : undefined,
      timing,
      attestation: attest(outcome, {
        resultSha256: sha256,
        ...result,
        kernel: isNamed(target) ? target.kernel : null, // what a caller calls its BTF is not ours to sign
        findings: { verdict, assumes, counts: { resolved, absent, poisoned } }
      }),
      cached
    }
  }

  return {
    keyId: attestations.keyId,
    forget (outcome) {
      kept.delete(outcome)
      whole.delete(outcome.patches)
    },
    ofNew (outcome, question, timing) {
      if (question.request.onUnresolved === 'fail') requireAllReachableResolved(outcome)
      return make(outcome, question, timing, false)
    },
    ofHeld (outcome, question) {
      const { request: { wantsReport, onUnresolved }, target } = question
      if (onUnresolved === 'fail') requireAllReachableResolved(outcome)
      const named = isNamed(target)
      if (!named && question.request.kernel !== undefined) return make(outcome, question, AT_ONCE, true)
      const keyId = attestations.keyId()
      let answers = kept.get(outcome)
      if (answers === undefined) kept.set(outcome, answers = [])
      for (const { answer, hasReport, isNamed, keyId: signedWith } of answers) {
        if (answer.kernel === target.kernel && answer.buildId === target.records[0]?.buildId &&
          answer.source === target.source && answer.warning?.message === target.warning?.message &&
          hasReport === wantsReport && isNamed === named && signedWith === keyId) return answer
      }
      if (answers.length >= MAX_QUESTIONS) answers.shift()
      const answer = make(outcome, question, AT_ONCE, true)
      answers.push({ answer, hasReport: wantsReport, isNamed: named, keyId })
      return answer
    }
  }
}

function isNamed ({ records }: Target): boolean { return records.length > 0 }

/** What cannot be shown to be out of reach counts as within it. */
function requireAllReachableResolved ({ report, counts, verdict }: Outcome): void {
  if (verdict === 'loads') return
  if (report?.failure === undefined) {
    throw new AppError('unresolved_reachable',
      'A program cannot load, although no relocation that it gets to is without a value; a report of the relocation says why.',
      { relocations: report?.failing, counts })
  }
  const { records, first } = report.failure
  throw new AppError('unresolved_reachable',
    `${records} ${records === 1 ? 'relocation has' : 'relocations have'} no value in this kernel, first ${first}` +
    (verdict === 'unknown' ? ' Whether it can be reached is not known, which counts as reachable.' : ''),
    { relocations: report.failing, counts })
}
