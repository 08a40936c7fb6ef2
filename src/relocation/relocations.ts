import { AppError } from '../errors.js'
import { residentBytes } from '../store/btf-memory.js'
import { createSingleFlight } from '../store/single-flight.js'
import type { Sha256 } from '../store/sha256.js'
import type { RelocateTask } from '../workers/protocol.js'
import { abortable } from '../store/abortable.js'
import type { Answers, Outcome, Question } from './answers.js'
import { isLost } from '../kernels/btf-access.js'
import { createComputing, hasReport, reportFor, type ComputeOptions } from './compute.js'
import { requireObjectHash, type Objects } from './objects.js'
import { createHeldAnswers, type HeldAnswer } from './held-answers.js'
import { isAssuming, judgedBy, keyOf } from './result-keys.js'
import { createResults } from './results.js'
import type { Target, Targets } from './targets.js'
import type { Deadline, HeldQuestion, RelocateAnswer, RelocateRequest } from './types.js'

export interface RelocationsOptions extends ComputeOptions {
  readonly targets: Targets
  readonly answers: Answers
  readonly memoryBytes: number
}

export interface Relocations {
  /** At once where the result is held, and nothing has to be waited for to know which one is meant. */
  relocate(request: RelocateRequest, deadline?: Deadline): RelocateAnswer | Promise<RelocateAnswer>
  /** What `relocate` answers where the result is held. Begins nothing, and counts no miss. */
  findHeld(question: HeldQuestion): RelocateAnswer | undefined
  stats(): RelocationsStats
}

export interface RelocationsStats {
  /** Of results in memory. */
  readonly bytes: number
  readonly entries: number
  readonly hits: number
  readonly misses: number
  /** Of misses: runs of the engine, and results that were kept from earlier ones. */
  readonly runs: number
  readonly kept: number
}

/** How long a request waits, and how often it was resolved before. */
interface Asking {
  readonly deadline: Deadline | undefined
  readonly attempt: number
}

/** A result that is held, and what it is held under. */
interface Found {
  readonly key: string
  readonly outcome: Outcome
}

/** How often a request is resolved anew because what its name stood for is lost. */
const MAX_ATTEMPTS = 3
/** How often the use of what a held answer follows from is noted, at most: which is removed first is a matter of minutes. */
const NOTE_MS = 1000

export function createRelocations (options: RelocationsOptions): Relocations {
  const { targets, objects, btfs, index, pool, answers, kept } = options
  const computing = createComputing(options)
  const heldAnswers = createHeldAnswers({ revision: index.revision, keyId: answers.keyId })
  const onEvict = (outcome: Outcome): void => {
    answers.forget(outcome)
    heldAnswers.clear()
  }
  const results = createResults({ memoryBytes: options.memoryBytes, onEvict, onRelease: options.onRelease })
  const flights = createSingleFlight<Outcome>()
  const counts = { hits: 0, misses: 0 }

  const compute = async ({ request, objectSha256, target }: Question, key: string, report: RelocateTask['report']): Promise<Outcome> => {
    const { relocated, object, fetchMs, isToBeHeld } = await computing.compute({ request, objectSha256, target, report })
    if (!isToBeHeld) return { ...relocated, fetchMs, object }
    const resultKey = relocated.isJudged || isAssuming(request) ? key + judgedBy(request, target) : key
    return results.set(resultKey, objectSha256, object, { ...relocated, fetchMs })
  }

  /** Whether rows that led to lost content were forgotten, so that the name means something else now, or nothing. */
  const isForgotten = (error: unknown, target: Target): boolean => isLost(error) && target.records.some(record => {
    const current = index.get(record.reference, record.btfSha256)
    return current === undefined || current.modules.length < record.modules.length
  })

  const noteUse = ({ request, objectSha256, target }: Question): void => {
    for (const record of target.records) index.touch(record)
    if (target.brought === undefined) btfs.noteUse([target.btf, ...target.modules])
    if (request.object === undefined) objects.noteUse(objectSha256)
  }
  /** Records and results of which the use was noted, and when, on the clock of `performance.now`. */
  const notedAt = new WeakMap<object, number>()
  const isDue = (used: object, now: number): boolean => {
    if (now - (notedAt.get(used) ?? -Infinity) < NOTE_MS) return false
    notedAt.set(used, now)
    return true
  }
  /** The same where the result is held: many requests a second may ask for it. */
  const noteUseOfHeld = ({ request, objectSha256, target }: Question, outcome: Outcome): void => {
    const now = performance.now()
    for (const record of target.records) if (isDue(record, now)) index.touch(record)
    if (target.brought === undefined && isDue(outcome, now)) btfs.noteUse([target.btf, ...target.modules])
    if (request.object === undefined) objects.noteUse(objectSha256)
  }

  const lookUp = ({ request, objectSha256, target }: Question): Found | undefined => {
    const find = (key: string): Found | undefined => {
      const outcome = results.get(key)
      return outcome === undefined ? undefined : { key, outcome }
    }
    const key = keyOf(objectSha256, target)
    const found = (isAssuming(request) ? undefined : find(key)) ?? find(key + judgedBy(request, target))
    return found === undefined || !hasReport(found.outcome, request) ? undefined : found
  }

  const findHeld = (question: Question): Outcome | undefined => {
    const found = lookUp(question)
    if (found === undefined) {
      counts.misses++
      noteUse(question)
      return undefined
    }
    counts.hits++
    pool.noteAnswer()
    noteUseOfHeld(question, found.outcome)
    return found.outcome
  }

  const findHeldAnswer = (named: HeldQuestion): HeldAnswer | undefined => {
    const { objectSha256 } = named
    const request: RelocateRequest = { ...named, onUnresolved: 'poison', wantsReport: false }
    const target = targets.find(request)
    if (target instanceof Promise) return undefined
    const question = { request, objectSha256, target }
    const found = lookUp(question)
    if (found === undefined) return undefined
    const held = { answer: answers.ofHeld(found.outcome, question), key: found.key, question, notedAt: -Infinity }
    heldAnswers.keep(named, held)
    return held
  }

  const answerAnew = async (question: Question, resolve: number, { deadline, attempt }: Asking): Promise<RelocateAnswer> => {
    const { request, objectSha256, target } = question
    const key = keyOf(objectSha256, target)
    const report = reportFor(request)
    // Who only names an object or BTF may find that it is not held; who sent it must not get that answer.
    const flight = `${report} ${request.places ?? 'some'} ${judgedBy(request, target)} ` +
      `${request.object === undefined ? 'named' : 'sent'} ${target.brought === undefined ? 'named' : 'sent'} ${key}`
    try {
      // Checks give way to more than the task, which is half of what is done here.
      return await pool.expecting(async () => {
        const computing = flights.run(flight, () => compute(question, key, report))
        deadline?.keep?.(computing)
        const outcome = await abortable(computing, deadline?.signal)
        return answers.ofNew(outcome, question, {
          resolve,
          fetch: target.fetchMs + outcome.fetchMs,
          parse: outcome.parseMs,
          relocate: outcome.relocateMs
        })
      })
    } catch (error) {
      if (attempt < MAX_ATTEMPTS && isForgotten(error, target)) {
        return await relocate(request, objectSha256, { deadline, attempt: attempt + 1 })
      }
      throw error
    }
  }

  const answerLater = async (
    request: RelocateRequest, objectSha256: Sha256, finding: Promise<Target>, asking: Asking
  ): Promise<RelocateAnswer> => {
    const started = performance.now()
    const target = await finding
    const resolve = performance.now() - started - target.fetchMs
    const question = { request, objectSha256, target }
    try {
      const held = findHeld(question)
      if (held === undefined) return await answerAnew(question, resolve, asking)
      return { ...answers.ofHeld(held, question), timing: { resolve, fetch: target.fetchMs, parse: 0, relocate: 0 } }
    } finally {
      target.brought?.forEach(brought => { options.onRelease(residentBytes(brought)) })
    }
  }

  const relocate = (request: RelocateRequest, objectSha256: Sha256, asking: Asking): RelocateAnswer | Promise<RelocateAnswer> => {
    const started = performance.now()
    const target = targets.find(request, asking.deadline)
    if (target instanceof Promise) return answerLater(request, objectSha256, target, asking)
    const question = { request, objectSha256, target }
    const held = findHeld(question)
    return held === undefined ? answerAnew(question, performance.now() - started, asking) : answers.ofHeld(held, question)
  }

  return {
    relocate (request, deadline) {
      if (request.object !== undefined) objects.requireSize(request.object)
      return relocate(request, nameObject(request, objects), { deadline, attempt: 1 })
    },
    findHeld (named) {
      const held = heldAnswers.find(named) ?? findHeldAnswer(named)
      if (held === undefined) return undefined
      const now = performance.now()
      if (now - held.notedAt >= NOTE_MS) {
        held.notedAt = now
        results.get(held.key) // so that it stays
        noteUse(held.question)
      }
      counts.hits++
      pool.noteAnswer()
      return held.answer
    },
    stats: () => ({ bytes: results.size, entries: results.entries, ...counts, runs: computing.runs(), kept: kept.hits })
  }
}

function nameObject ({ object, objectSha256 }: RelocateRequest, objects: Objects): Sha256 {
  if (object !== undefined && objectSha256 === undefined) return objects.hashOf(object)
  if (object !== undefined || objectSha256 === undefined) {
    throw new AppError('invalid_request', 'A request has either an object or the hash of one.', { field: 'object' })
  }
  requireObjectHash(objectSha256)
  return objectSha256
}
