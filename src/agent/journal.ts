import { kindOf } from '../client/problem.js'
import type { AppError, ErrorCode } from '../errors.js'
import type { Consultation } from './module-types.js'
import type { VerifiedAnswer } from './ask.js'
import { findingsOf, needsOf, unattachedOf } from './findings.js'
import type { Log } from './log.js'
import type { Metrics, Outcome } from './metrics.js'
import { isAccess } from './schedule.js'
import type { NodeKernel } from './node.js'
import { isNotLoaded, settingAtFault, type ObjectStatus, type Shown } from './status.js'

/** Tells an operator what happens: in the log, each change once, and in the metrics. */
export interface Journal {
  kernel(kernel: NodeKernel, withdrawn: readonly string[]): void
  restored(name: string, status: ObjectStatus): void
  settled(name: string, status: ObjectStatus, answer: VerifiedAnswer | undefined, waitMs: number | undefined): void
  removed(name: string): void
  /** That it was loaded is told after `restored` or `settled` told of what was loaded. */
  loaded(name: string, error: AppError | undefined): void
  offered(kernel: NodeKernel, error: AppError | undefined): void
  offeredModules(kernel: NodeKernel, modules: readonly string[], error: AppError | undefined): void
  /** Modules that programs need, and whose BTF must not leave the node. */
  withheld(kernel: NodeKernel, consultation: Consultation): void
  /** A loaded module whose BTF cannot be read. */
  unreadable(module: string, error: AppError): void
  firstContact(source: string, keyIds: readonly string[]): void
  /** Something about the node itself: the objects folder, the kernel's BTF. */
  trouble(error: AppError): void
  /** An error that nobody foresaw. */
  unexpected(error: unknown): void
}

const CONSEQUENCES: Readonly<Record<Shown, string>> = {
  current: '',
  last_good: 'The last good copy for this kernel stays in use.',
  earlier: 'The copy of the object as it was before, which is for this kernel, stays in use.',
  nothing: 'There is no good copy for this kernel, and none was put out.'
}

/** Types that a log line names. */
const MAX_TYPES_SAID = 5

const ASKING_ON = 'The agent goes on asking, with the token that is in its file (--token-file) then.'

const EVERY_OBJECT = 'So it is for every object.'

const NOT_LOADED = 'The result is in place, but not in the kernel.'

/** Failures of which every object says the same: token and kernel are the node's, whichever object was asked for. */
const SHARED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['unauthorized', 'forbidden', 'kernel_unknown', 'kernel_ambiguous'])

function sharedSubject (code: ErrorCode, shown: string): string { return `${code} of all that have ${shown}` }

export function createJournal (log: Log, metrics: Metrics): Journal {
  const said = new Map<string, string>()
  let showsBtf = true
  /** A state that lasts is worth one line, not one a minute. */
  const levelOf = (subject: string, text: string, level: 'info' | 'warn' | 'error'): 'info' | 'warn' | 'error' | 'debug' => {
    const isNew = said.get(subject) !== text
    said.set(subject, text)
    return isNew ? level : 'debug'
  }

  /** The objects that a setting which cannot be used keeps back, by what is said of the setting. */
  const keptBack = new Map<string, Set<string>>()
  /** Once none is kept back any more, the same fault would be a new one. */
  const released = (name: string): void => {
    for (const [subject, names] of keptBack) if (names.delete(name) && names.size === 0) said.delete(subject)
  }

  const forget = (code: ErrorCode): void => { for (const shown of Object.keys(CONSEQUENCES)) said.delete(sharedSubject(code, shown)) }

  const failed = (name: string, status: ObjectStatus, answer: VerifiedAnswer | undefined, waitMs: number | undefined): void => {
    const { shown, failure, isFinding } = status
    if (failure === undefined) return
    const reasons = isFinding ? findingsOf(answer?.report ?? failure) : []
    const isRefused = isAccess(failure)
    const setting = settingAtFault(failure)
    const isShared = setting !== undefined || SHARED.has(failure.code)
    const facts = {
      object: name,
      shown,
      code: failure.code,
      ...(setting === undefined ? {} : { setting }),
      ...(reasons.length === 0 ? {} : { reasons }),
      ...pick(failure, 'refusal', 'request_id', 'sources', 'nearest', 'candidates'),
      ...(waitMs === undefined ? {} : { retry_ms: Math.round(waitMs) })
    }
    const subject = setting !== undefined ? `setting ${setting}` : isShared ? sharedSubject(failure.code, shown) : name
    if (setting !== undefined) keptBack.set(subject, (keptBack.get(subject) ?? new Set()).add(name))
    const isError = isFinding || isRefused || setting !== undefined || shown === 'nothing'
    const level = levelOf(subject, setting === undefined ? `${shown} ${failure.message}` : failure.message, isError ? 'error' : 'warn')
    const consequence = isNotLoaded(status) ? NOT_LOADED : CONSEQUENCES[shown]
    const others = isRefused ? ASKING_ON : isShared ? EVERY_OBJECT : ''
    log[level](facts, `${failure.message} ${others} ${consequence}`.replace(/ +/g, ' ').trim())
  }

  const untoldLoads = new Set<string>()
  const tellOfLoad = (name: string): void => {
    if (untoldLoads.delete(name)) log.info({ object: name }, 'loaded into the kernel and pinned')
  }

  return {
    kernel (kernel, withdrawn) {
      showsBtf = kernel.btf !== undefined
      metrics.kernelBtf.set(kernel.btf === undefined ? 0 : 1)
      const facts = {
        kernel: kernel.name,
        kernel_version: kernel.kernelVersion,
        build_id: kernel.query.buildId ?? null,
        btf: kernel.btf?.sha256 ?? null
      }
      log.info(facts, kernel.btf === undefined
        ? 'this kernel shows no BTF; the service is asked by its name'
        : 'this kernel shows BTF; the service is asked by its hash')
      if (kernel.note !== undefined) log.info(facts, kernel.note)
      if (kernel.problem !== undefined) log.warn(facts, kernel.problem)
      if (withdrawn.length > 0) {
        log.warn({ ...facts, objects: withdrawn }, 'the results that were there are for another kernel; they were taken away')
      }
    },
    restored (name, status) {
      if (status.shown === 'last_good') {
        log.info({ object: name }, 'the last good copy for this kernel is in place; asking whether there is a newer one')
      }
      failed(name, status, undefined, undefined)
      tellOfLoad(name)
    },
    settled (name, status, answer, waitMs) {
      const { failure } = status
      metrics.requests.inc({ outcome: outcomeOf(status, answer) })
      const isReached = failure === undefined || kindOf(failure) !== 'transport'
      metrics.serviceUp.set(isReached ? 1 : 0)
      if (isReached) for (const code of SHARED) if (code !== failure?.code) forget(code)
      if (isReached) metrics.lastContact.setToCurrentTime()
      if (failure !== undefined) {
        const { refusal } = failure.details
        metrics.failures.inc({ code: failure.code, refusal: typeof refusal === 'string' ? refusal : '' })
        failed(name, status, answer, waitMs)
        tellOfLoad(name)
        return
      }
      released(name)
      const facts = answer === undefined
        ? {}
        : {
            verdict: answer.findings.verdict,
            ...answer.findings.counts,
            ...modulesOf(answer),
            kernel: answer.report.kernel.reference,
            btf: answer.report.kernel.btf_sha256,
            source: answer.report.kernel.source,
            result: answer.sha256,
            key: answer.keyId ?? null
          }
      if (answer !== undefined) metrics.verdicts.inc({ verdict: answer.findings.verdict })
      const text = answer === undefined
        ? 'the copy that is in place is the current one'
        : answer.keyId === undefined
          ? 'relocated and put in place, not verified'
          : 'relocated, verified and put in place'
      log[answer === undefined ? levelOf(name, text, 'info') : 'info']({ object: name, ...facts }, text)
      if (answer?.findings.verdict === 'unknown') {
        log.warn({ object: name, verdict: 'unknown', reasons: findingsOf(answer.report) },
          'whether it loads is not known: it may reach an instruction that has no value in this kernel')
      }
      const needing = showsBtf || answer === undefined ? [] : needsOf(answer.report)
      if (needing.length > 0) {
        log.warn({ object: name, programs: needing },
          'programs of it need BTF in the running kernel, which shows none: the kernel refuses them, and libbpf the object with them')
      }
      for (const message of answer === undefined ? [] : unattachedOf(answer.report)) log.warn({ object: name }, message)
      said.set(name, text)
      tellOfLoad(name)
    },
    removed (name) {
      said.delete(name)
      released(name)
      log.info({ object: name }, 'the object is gone; its result was taken away')
    },
    loaded (name, error) {
      metrics.loads.inc({ result: error === undefined ? 'loaded' : 'refused' })
      if (error === undefined) untoldLoads.add(name)
    },
    offered (kernel, error) {
      const facts = { kernel: kernel.name, btf: kernel.btf?.sha256 }
      if (error === undefined) {
        log.info(facts, 'the service did not have the BTF of this kernel; it has it now')
      } else {
        log.warn({ ...facts, code: error.code },
          `The service does not keep the BTF of this kernel, which goes with each request instead: ${error.message}`)
      }
    },
    offeredModules (kernel, modules, error) {
      const facts = { kernel: kernel.name, modules }
      if (error === undefined) {
        log.info(facts, 'the service did not have the BTF of these modules, which have types that objects ask for; it has it now')
      } else {
        log.warn({ ...facts, code: error.code },
          `The service does not keep the BTF of these modules, which goes with each request instead: ${error.message}`)
      }
    },
    withheld (kernel, { lacking, modules }) {
      const names = modules.map(({ name }) => name).join(', ')
      const types = lacking.slice(0, MAX_TYPES_SAID).join(', ')
      const text = `Objects ask for types (${types}) that only modules have (${names}), ` +
        'whose BTF is not given to the service (--upload-btf never); what reads them finds nothing.'
      log[levelOf('modules', text, 'warn')]({ kernel: kernel.name, modules: modules.map(({ name }) => name) }, text)
    },
    unreadable (module, error) {
      const text = `The BTF of module ${module} cannot be read, and is passed over: ${error.message}`
      log[levelOf(`module ${module}`, text, 'warn')]({ module, code: error.code }, text)
    },
    firstContact (source, keyIds) {
      log.warn({ keys: keyIds, source }, 'these keys are trusted from now on because they were there at the first contact; ' +
        'give them in a file with --keys to be sure from the start')
    },
    trouble (error) { log[levelOf('', error.message, 'error')]({ code: error.code }, error.message) },
    unexpected (error) {
      metrics.unexpected.inc()
      const text = error instanceof Error ? error.message : String(error)
      log[levelOf('unexpected', text, 'error')]({ err: error },
        `something went wrong in the agent itself, which goes on and tries again: ${text}`)
    }
  }
}

function outcomeOf ({ failure, isFinding }: ObjectStatus, answer: VerifiedAnswer | undefined): Outcome {
  if (failure === undefined) return answer === undefined ? 'unchanged' : 'relocated'
  if (isFinding) return 'finding'
  return failure.details['refusal'] === undefined ? 'failed' : 'refused'
}

function modulesOf ({ consultation: { modules } }: VerifiedAnswer): { modules?: string[] } {
  return modules.length === 0 ? {} : { modules: modules.map(({ name }) => name) }
}

function pick ({ details }: AppError, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.flatMap(name => details[name] === undefined ? [] : [[name, details[name]]]))
}
