import { AppError, type ErrorCode, type ErrorDetails } from '../errors.js'
import { errorCode } from '../store/error-code.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { askedOf, type Asker, type Held, type VerifiedAnswer } from './ask.js'
import type { Copies, Copy, CopyRecord } from './copies.js'
import { isSameWhereLoaded } from './module-types.js'
import { readObject, type ObjectFile } from './objects.js'
import type { NodeKernel } from './node.js'
import type { Pins } from './pin.js'
import { LOAD_FAILURE, type ObjectStatus, type Shown } from './status.js'
import type { Trust } from './trust.js'

/** Brings what programs find for an object to where it should be. */
export interface Settler {
  /** Puts out the last good copy for this kernel, if there is one, without asking anybody. */
  restore(kernel: NodeKernel, file: ObjectFile): Promise<ObjectStatus>
  /** Asks the service, and puts out what it answers. Failures are in the status; `answer` is what arrived, where something did. */
  settle(kernel: NodeKernel, file: ObjectFile, signal: AbortSignal): Promise<Settled>
  /** Whether loaded modules matter to an object: it asks for types that vmlinux lacks. */
  asksModules(name: string): boolean
  /** Takes away what there is for an object. */
  remove(name: string): Promise<void>
}

export interface Settled {
  readonly status: ObjectStatus
  readonly answer: VerifiedAnswer | undefined
}

export interface SettlerOptions {
  readonly asker: Asker
  readonly copies: Copies
  readonly trust: Trust
  readonly pins: Pins | undefined
  /** Told of each load that was tried. */
  readonly onLoad: (name: string, error: AppError | undefined) => void
}

/** Problems that are facts about the object, which asking again does not change. */
const FINDINGS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['relocation_failed', 'unresolved_reachable', 'object_invalid', 'too_large'])

export function createSettler ({ asker, copies, trust, pins, onLoad }: SettlerOptions): Settler {
  /** Objects whose last answer lacked types of vmlinux. */
  const lacking = new Set<string>()

  /**
   * The last good copy for the kernel, as far as it is still believed: the keys may be others now. One that is not is taken away.
   */
  const findGood = async (kernel: NodeKernel, name: string): Promise<Copy | undefined> => {
    const copy = await copies.find(kernel, name)
    if (copy === undefined) return undefined
    if (!await isSameWhereLoaded(kernel, copy.record.modules ?? [])) {
      await copies.withdraw(name)
      return undefined
    }
    try {
      const { record } = copy
      await trust.require(copy, askedOf(kernel, record.objectSha256, moduleHashes(record), record.kernel), new Date(record.at))
      return copy
    } catch (error) {
      if (!(error instanceof AppError) || error.details['refusal'] === undefined) throw error
      await copies.withdraw(name)
      return undefined
    }
  }

  const load = async (name: string, result: Sha256): Promise<AppError | undefined> => {
    if (pins === undefined) return undefined
    try {
      if (await pins.ensure(name, copies.pathOf(name), result)) onLoad(name, undefined)
      return undefined
    } catch (error) {
      const failure = toAppError(error, `${name} cannot be loaded`, LOAD_FAILURE)
      onLoad(name, failure)
      return failure
    }
  }

  /** A copy where programs take it, and in the kernel where that was asked for. */
  const show = async (
    name: string,
    copy: Copy,
    shown: Exclude<Shown, 'nothing'>,
    failure?: AppError,
    isFinding = false
  ): Promise<ObjectStatus> => {
    await copies.publish(name, copy)
    const notLoaded = await load(name, copy.record.resultSha256)
    if (notLoaded === undefined) return { shown, failure, isFinding }
    // A setting that cannot be used is no fact about the object.
    return { shown, failure: failure ?? notLoaded, isFinding: isFinding || notLoaded.code === 'object_invalid' }
  }

  /** What there is when there is no new result. */
  const showKept = async (
    name: string,
    kept: Copy | undefined,
    object: Sha256 | undefined,
    failure: AppError | undefined,
    isFinding: boolean
  ): Promise<ObjectStatus> => {
    if (kept === undefined) return { shown: 'nothing', failure, isFinding }
    return await show(name, kept, kept.record.objectSha256 === object ? 'last_good' : 'earlier', failure, isFinding)
  }

  return {
    async restore (kernel, file) {
      if (file.problem !== undefined) return { shown: 'nothing', failure: new AppError('object_invalid', file.problem), isFinding: true }
      try {
        return await showKept(file.name, await findGood(kernel, file.name), sha256(await readObject(file)), undefined, false)
      } catch (error) {
        return { shown: 'nothing', failure: toAppError(error, `The last good copy of ${file.name} cannot be put out`), isFinding: false }
      }
    },
    async settle (kernel, file, signal) {
      const { name } = file
      let kept: Copy | undefined
      let object: Sha256 | undefined
      let answer: VerifiedAnswer | undefined
      try {
        kept = await findGood(kernel, name)
        if (kept?.record.lacking !== undefined) lacking.add(name)
        const bytes = await readObject(file)
        object = sha256(bytes)
        const held = kept?.record.objectSha256 === object ? heldOf(kept.record) : undefined
        answer = await asker.ask(kernel, { bytes, sha256: object, held }, signal)
        if (answer === undefined) {
          if (kept === undefined) {
            const message = `The service says that a copy of ${name} is still good, which was not asked for.`
            throw new AppError('source_invalid', message, { kind: 'answer' })
          }
          return { status: await show(name, kept, 'current'), answer }
        }
        if (answer.consultation.lacking.length > 0) lacking.add(name)
        else lacking.delete(name)
        if (answer.findings.verdict === 'fails') {
          const message = `${name} would not load: it reaches an instruction that has no value in this kernel.`
          const failure = new AppError('unresolved_reachable', message)
          return { status: await showKept(name, kept, object, failure, true), answer }
        }
        const copy = toCopy(kernel, object, answer)
        await copies.keep(kernel, name, copy)
        return { status: await show(name, copy, 'current'), answer }
      } catch (error) {
        if (signal.aborted) throw error
        const failure = toAppError(error, `The result of ${name} cannot be kept`)
        const isFinding = FINDINGS.has(failure.code)
        const status = await showKept(name, kept, object, failure, isFinding)
          .catch(() => ({ shown: 'nothing' as const, failure, isFinding }))
        return { status, answer }
      }
    },
    asksModules: name => lacking.has(name),
    async remove (name) {
      await copies.withdraw(name)
      await pins?.remove(name)
    }
  }
}

function toCopy (kernel: NodeKernel, object: Sha256, answer: VerifiedAnswer): Copy {
  const { bytes, sha256: result, report, reportText, attestation, tag, consultation: { lacking, modules } } = answer
  return {
    bytes,
    report: reportText,
    attestation,
    record: {
      objectSha256: object,
      resultSha256: result,
      btfSha256: kernel.btf?.sha256 ?? asSha256(report.kernel.btf_sha256),
      kernel: kernel.name,
      ...(lacking.length === 0 ? {} : { lacking }),
      ...(modules.length === 0 ? {} : { modules: modules.map(({ name, sha256 }) => ({ name, sha256 })) }),
      tag,
      at: new Date().toISOString()
    }
  }
}

function heldOf (record: CopyRecord): Held {
  return { tag: record.tag, lacking: record.lacking ?? [], moduleSha256s: moduleHashes(record) }
}

function moduleHashes ({ modules = [] }: CopyRecord): Sha256[] { return modules.map(module => module.sha256) }

function asSha256 (text: string): Sha256 { return `sha256:${text.replace(/^sha256:/, '')}` }

/** Failures of the file system are the node's; anything else is a mistake of ours, which must not be taken for one. */
function toAppError (error: unknown, what: string, details: ErrorDetails = {}): AppError {
  if (error instanceof AppError) return new AppError(error.code, error.message, { ...error.details, ...details }, { cause: error.cause })
  if (error instanceof Error && errorCode(error) !== undefined) {
    return new AppError('internal_error', `${what}: ${error.message}.`, details, { cause: error })
  }
  throw error
}
