import type { Btf } from '../btf/btf.js'
import { hasCandidate } from '../btf/lookup.js'
import { attachBtf } from '../btf/parse.js'
import { isAlreadyRelocated } from '../core/already-relocated.js'
import { attachTargets } from '../core/attach-targets.js'
import { applyPatches, parseObject, relocate, type BpfObject, type Relocation } from '../core/index.js'
import { inspectObject } from '../core/inspect.js'
import { warnOfObject } from '../core/warnings.js'
import { AppError } from '../errors.js'
import { isOfLayout } from '../layout/index.js'
import { minimiseBtf } from '../min-btf/min-btf.js'
import { buildReport, judgeRelocation, kernelSymbols, noteAsked, type BuiltReport } from '../report/index.js'
import { sha256 } from '../store/sha256.js'
import { resolveAssumptions, type Judgement } from '../verdict/index.js'
import { attachShared } from './attached-btfs.js'
import { vectorOfKernel } from './kernel-layouts.js'
import { createParsedObjects } from './parsed-objects.js'
import type {
  InspectedObject, InspectTask, MadeReport, MinimisedBtf, MinimiseTask, OtherModule, RelocatedObject, RelocateTask
} from './protocol.js'

/** Of parsed objects that a worker keeps, in bytes: the largest known object takes 35 MB, a usual one 0.1. */
const MAX_PARSED_BYTES = 48 * 1024 * 1024

/** Shared with checks: both see the same objects. */
export const parsedObjects = createParsedObjects(MAX_PARSED_BYTES)

/** Lets go of the objects that this worker keeps. They are parsed again when a task brings them. */
export function forgetObjects (): void { parsedObjects.clear() }

/**
 * Relocates, and explains where that was asked for.
 *
 * @throws AppError `object_invalid`, `btf_invalid`, `invalid_request` for an assumption about nothing in the object, and
 * `relocation_failed` with every failing record under `relocations`
 */
export function relocateObject (task: RelocateTask): RelocatedObject {
  const started = performance.now()
  const target = attachShared(task.btf)
  const modules = task.modules.map(module => attachShared(module, target))
  const object = parsedObjects.get(task.objectSha256, task.object)
  const parsed = performance.now()
  const relocation = relocate(object, target, { modules })
  parsedObjects.hold(task.objectSha256, object)
  const { patches, counts } = relocation
  const { kernelRelease } = task
  const assume = resolveAssumptions(object, task.assume ?? new Map())
  const symbols = noteAsked(kernelSymbols([target, ...modules]))
  const judgement = judgeRelocation(object, relocation, { kernelRelease, assume, hasKernelSymbol: symbols.has })
  if (patches === undefined) throw failureOf(relocation, build(task, object, relocation, judgement))
  const wantsReport = task.report === 'always' || (task.report === 'failing' && judgement.verdict !== 'loads')
  // A report says what of the kernel programs cannot attach to, of which layouts say nothing.
  const isOfKernel = symbols.wasAsked() || (wantsReport && attachTargets(object).length > 0)
  const isShared = task.layoutPath !== undefined && modules.length === 0 && isOfLayout(relocation, isOfKernel)
  const layoutVector = isShared ? vectorOfKernel(object, task.btf.sha256, task.layoutPath) : undefined
  return {
    patches,
    sha256: sha256(applyPatches(object.bytes, patches)),
    counts,
    verdict: judgement.verdict,
    assumes: judgement.assumes,
    isJudged: judgement.isOfRelease,
    isAlreadyRelocated: isAlreadyRelocated(object),
    report: wantsReport ? toMade(build(task, object, relocation, judgement)) : undefined,
    ...(layoutVector === undefined ? {} : { layoutVector }),
    parseMs: parsed - started,
    relocateMs: performance.now() - parsed
  }
}

function build ({ places, otherModules }: RelocateTask, object: BpfObject, relocation: Relocation, judgement: Judgement): BuiltReport {
  return buildReport(object, relocation, judgement, {
    ...(places === undefined ? {} : { places }),
    modulesWith: modulesWith(relocation.target.btf, otherModules ?? [])
  })
}

/** Each type is looked for once. */
function modulesWith (base: Btf, modules: readonly OtherModule[]): (type: string) => readonly string[] {
  const attached = modules.map(({ name, btf }) => ({ name, btf: attachBtf(btf.parts, base) }))
  const known = new Map<string, readonly string[]>()
  return type => {
    const names = known.get(type) ?? attached.filter(({ btf }) => hasCandidate(btf, type)).map(({ name }) => name)
    known.set(type, names)
    return names
  }
}

/** Types that are told of as missing. An object that asks for more of them is for no kernel. */
const MAX_MISSING_TYPES = 64

function missingTypes ({ relocations }: BuiltReport['report']): string[] {
  const missing = relocations.filter(({ reason }) => reason === 'type_missing' || reason === 'type_kind_differs')
  return [...new Set(missing.map(({ type }) => type))].slice(0, MAX_MISSING_TYPES)
}

function toMade ({ report, json, failure, hasMorePlaces }: BuiltReport): MadeReport {
  return {
    ...json(),
    byteOrder: report.byte_order,
    changedInstructions: report.changed_instructions,
    failure,
    hasMorePlaces,
    missingTypes: missingTypes(report)
  }
}

/** The list of relocations goes as the JSON that it is sent as. */
function failureOf ({ counts, records }: Relocation, { json, failure }: BuiltReport): AppError {
  return new AppError('relocation_failed',
    `${counts.failed} of ${records.length} relocations have no answer that libbpf would take` +
    (failure === undefined ? '' : `: ${failure.first}`),
    { relocations: json().failing, counts })
}

/** @throws AppError `object_invalid` */
export function inspect (task: InspectTask): InspectedObject {
  const hash = sha256(task.object)
  const object = parseObject(task.object)
  return { sha256: hash, inspection: task.wantsInspection ? inspectObject(object) : undefined, warning: warnOfObject(object) }
}

/** @throws AppError `object_invalid`, `btf_invalid`, and `relocation_failed` where libbpf would refuse one of the objects */
export function minimise ({ objects, btf, modules }: MinimiseTask): MinimisedBtf {
  const target = attachShared(btf)
  const parsed = objects.map(({ bytes, sha256: hash }) => {
    const object = parsedObjects.get(hash, bytes)
    parsedObjects.hold(hash, object)
    return object
  })
  const bytes = minimiseBtf(parsed, target, {
    modules: modules.map(module => attachShared(module, target)),
    names: objects.map(({ sha256: hash }) => `Object ${hash}`)
  })
  return { bytes, sha256: sha256(bytes) }
}
