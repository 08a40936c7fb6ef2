import { LRUCache } from 'lru-cache'
import { AppError } from '../errors.js'
import { residentBytes, type SharedBtf } from '../kernels/btf-memory.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import { isFetched } from '../kernels/kernel-record.js'
import { createSingleFlight } from '../kernels/single-flight.js'
import { isSha256, sha256, type Sha256 } from '../kernels/sha256.js'
import { toShared } from '../kernels/shared-bytes.js'
import type { WorkerPool } from '../workers/pool.js'
import type { RelocatedObject, RelocateTask } from '../workers/protocol.js'
import { abortable } from './abortable.js'
import type { Attestations } from './attestations.js'
import type { BtfAccess } from './btf-access.js'
import type { Objects } from './objects.js'
import { resultKey } from './result-key.js'
import type { Target, Targets } from './targets.js'
import type { RelocateAnswer, RelocateRequest } from './types.js'

export interface RelocationsOptions {
  readonly targets: Targets
  readonly objects: Objects
  readonly btfs: BtfAccess
  readonly index: KernelIndex
  readonly pool: WorkerPool
  readonly attestations: Attestations
  readonly memoryBytes: number
  /** Told of shared memory that was let go of, in bytes. */
  readonly onRelease: (bytes: number) => void
}

export interface Relocations {
  relocate(request: RelocateRequest): Promise<RelocateAnswer>
  stats(): { readonly bytes: number, readonly entries: number, readonly hits: number, readonly misses: number, readonly runs: number }
}

/** A result, and what it took to get it. */
interface Outcome extends RelocatedObject {
  readonly fetchMs: number
}

/** What a result weighs besides its bytes: its key, counts and attestation, and each relocation of a report. Rough, in bytes. */
const RESULT_OVERHEAD = 2200
const RELOCATION_OVERHEAD = 800

/** How often a request is resolved anew because what its name stood for is lost. */
const MAX_ATTEMPTS = 3

export function createRelocations (options: RelocationsOptions): Relocations {
  const { targets, objects, btfs, index, pool, attestations } = options
  // In memory only: a result is recomputed in milliseconds from an object and BTF that are on disk, while kept on disk it would
  // cost a file for each pair of them, and would have to be kept apart by engine version.
  const results = new LRUCache<Sha256, Outcome>({ maxSize: options.memoryBytes, sizeCalculation: weigh, dispose: ({ bytes }) => { options.onRelease(bytes.length) } })
  const flights = createSingleFlight<Outcome>()
  const counts = { hits: 0, misses: 0, runs: 0 }

  const compute = async (request: RelocateRequest, objectHash: Sha256, target: Target, key: Sha256, report: RelocateTask['report']): Promise<Outcome> => {
    const started = performance.now()
    const [btf, ...modules] = target.brought ?? await loadBtfs(btfs, target)
    if (btf === undefined) throw new AppError('internal_error', 'A target has no vmlinux BTF.')
    const fetchMs = performance.now() - started
    const object = request.object === undefined ? await objects.get(objectHash) : toShared(request.object)
    counts.runs++
    /** Whatever libbpf thinks of it for this kernel, a worker could read it: it is an object worth keeping. */
    const settle = (isObject: boolean): void => {
      if (request.object === undefined) return
      if (isObject) objects.hold(objectHash, object)
      else options.onRelease(object.length)
    }
    const relocated = await pool.run({ kind: 'relocate', object, btf, modules, report }).catch((error: unknown) => {
      settle(error instanceof AppError && error.code === 'relocation_failed')
      options.onRelease(object.length) // what a worker may have patched by then
      throw error
    })
    settle(true)
    const outcome = { ...relocated, fetchMs }
    results.set(key, outcome)
    return outcome
  }

  /** A name whose content is gone from memory and disk is worth nothing; without it the search goes on. */
  const forgetLost = async (error: unknown, target: Target): Promise<boolean> => {
    if (!(error instanceof AppError) || error.code !== 'btf_unknown') return false
    const { btf_sha256: lost } = error.details
    const rows = target.records.flatMap(({ reference }) => index.get(reference) ?? [])
    await Promise.all(rows.map(async row => {
      const modules = row.modules.filter(module => module.btfSha256 !== lost)
      // The source of a kernel brings its modules too.
      if (row.btfSha256 === lost || (modules.length < row.modules.length && isFetched(row))) await index.remove(row.reference)
      else if (modules.length < row.modules.length) await index.put({ ...row, modules })
    }))
    return rows.length > 0
  }

  const relocate = async (request: RelocateRequest, objectHash: Sha256, attempt = 1): Promise<RelocateAnswer> => {
    const started = performance.now()
    const target = await targets.find(request)
    const resolveMs = performance.now() - started - target.fetchMs
    const report = request.wantsReport ? 'always' : request.onUnresolved === 'fail' ? 'poisoned' : 'never'
    const key = resultKey({ object: objectHash, btf: target.btf, modules: target.modules })
    for (const { reference } of target.records) index.touch(reference)
    if (target.brought === undefined) btfs.noteUse([target.btf, ...target.modules])
    if (request.object === undefined) objects.noteUse(objectHash)

    const held = results.get(key)
    if (held !== undefined && hasReport(held, report)) {
      counts.hits++
      return toAnswer(request, held, { target, objectHash, attestations, resolveMs, cached: true })
    }
    counts.misses++
    // Who only names an object or BTF may find that it is not held; who sent it must not get that answer.
    const flight = `${report} ${request.object === undefined ? 'named' : 'sent'} ${target.brought === undefined ? 'named' : 'sent'} ${key}`
    try {
      const outcome = await abortable(flights.run(flight, () => compute(request, objectHash, target, key, report)), request.signal)
      return toAnswer(request, outcome, { target, objectHash, attestations, resolveMs, cached: false })
    } catch (error) {
      if (attempt < MAX_ATTEMPTS && await forgetLost(error, target)) return await relocate(request, objectHash, attempt + 1)
      throw error
    } finally {
      target.brought?.forEach(brought => { options.onRelease(residentBytes(brought)) })
    }
  }

  return {
    async relocate (request) {
      if (request.object !== undefined) objects.requireSize(request.object)
      return await relocate(request, nameObject(request))
    },
    stats: () => ({ bytes: results.calculatedSize, entries: results.size, ...counts })
  }
}

function nameObject ({ object, objectSha256 }: RelocateRequest): Sha256 {
  if (object !== undefined && objectSha256 === undefined) return sha256(object)
  if (object !== undefined || objectSha256 === undefined) throw new AppError('invalid_request', 'A request has either an object or the hash of one.', { field: 'object' })
  if (!isSha256(objectSha256)) throw new AppError('invalid_request', 'An object is named by sha256: and 64 lower-case hex digits.', { field: 'object' })
  return objectSha256
}

/** The BTFs of a target, vmlinux first. Those in memory are there without waiting. */
async function loadBtfs (btfs: BtfAccess, target: Target): Promise<SharedBtf[]> {
  const base = btfs.peek(target.btf) ?? await btfs.load(target.btf)
  if (target.modules.length === 0) return [base]
  return [base, ...await Promise.all(target.modules.map(hash => btfs.load(hash, base)))]
}

function hasReport (outcome: Outcome, wanted: RelocateTask['report']): boolean {
  return wanted === 'never' || outcome.report !== undefined || (wanted === 'poisoned' && outcome.counts.poisoned === 0)
}

interface AnswerFacts {
  readonly target: Target
  readonly objectHash: Sha256
  readonly attestations: Attestations
  readonly resolveMs: number
  readonly cached: boolean
}

function toAnswer (request: RelocateRequest, outcome: Outcome, { target, objectHash, attestations, resolveMs, cached }: AnswerFacts): RelocateAnswer {
  const { bytes, sha256, counts, verdict, report } = outcome
  if (request.onUnresolved === 'fail') requireAllReachableResolved(outcome)
  return {
    bytes,
    sha256,
    objectSha256: objectHash,
    btfSha256: target.btf,
    moduleSha256s: target.modules,
    kernel: target.kernel,
    source: target.source,
    verdict,
    counts: { resolved: counts.resolved, absent: counts.absent, poisoned: counts.poisoned },
    report: request.wantsReport ? report : undefined,
    timing: cached
      ? { resolve: resolveMs, fetch: target.fetchMs, parse: 0, relocate: 0 }
      : { resolve: resolveMs, fetch: target.fetchMs + outcome.fetchMs, parse: outcome.parseMs, relocate: outcome.relocateMs },
    attestation: attestations.of(outcome, {
      resultSha256: sha256,
      objectSha256: objectHash,
      btfSha256: target.btf,
      moduleSha256s: target.modules,
      kernel: target.records.length === 0 ? null : target.kernel // what a caller calls its BTF is not ours to sign
    }),
    cached
  }
}

/** What cannot be shown to be out of reach counts as within it. */
function requireAllReachableResolved ({ report, counts }: Outcome): void {
  if (counts.poisoned === 0) return
  const relocations = (report?.relocations ?? []).filter(({ status, reachable }) => status === 'poisoned' && reachable !== false)
  const [first] = relocations
  if (first === undefined) return
  const isOpen = relocations.some(({ reachable }) => reachable === null)
  throw new AppError('unresolved_reachable',
    `${relocations.length} ${relocations.length === 1 ? 'relocation has' : 'relocations have'} no value in this kernel, first ${first.program}, instruction ${first.instruction}: ` +
    `${first.detail ?? first.reason ?? first.kind}${isOpen ? ' Whether it can be reached is not known, which counts as reachable.' : ''}`,
    { relocations, counts })
}

function weigh ({ bytes, report }: Outcome): number {
  return bytes.length + RESULT_OVERHEAD + (report === undefined ? 0 : (report.relocations.length + report.programs.length) * RELOCATION_OVERHEAD)
}
