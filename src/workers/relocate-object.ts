import { applyPatches, parseObject, relocate } from '../core/index.js'
import { inspectObject } from '../core/inspect.js'
import { describeRelocation, overallVerdict } from '../core/report.js'
import { AppError } from '../errors.js'
import { sha256 } from '../store/sha256.js'
import { allocateShared } from '../store/shared-bytes.js'
import { attachShared } from './attached-btfs.js'
import type { InspectedObject, InspectTask, RelocatedObject, RelocateTask } from './protocol.js'

/**
 * Relocates, and explains where that was asked for.
 *
 * @throws AppError `object_invalid`, `btf_invalid`, and `relocation_failed` with every failing record under `relocations`
 */
export function relocateObject (task: RelocateTask): RelocatedObject {
  const started = performance.now()
  const target = attachShared(task.btf)
  const modules = task.modules.map(module => attachShared(module, target))
  const object = parseObject(task.object)
  const parsed = performance.now()
  const relocation = relocate(object, target, { modules })
  const { patches, counts } = relocation
  if (patches === undefined) {
    const report = describeRelocation(object, relocation)
    const failing = report.relocations.filter(({ status }) => status === 'failed')
    const [first] = failing
    const where = first === undefined ? '' : `: ${first.program || first.section}, instruction ${first.instruction}: ${first.detail ?? first.reason ?? first.kind}`
    throw new AppError('relocation_failed', `${failing.length} of ${report.relocations.length} relocations have no answer that libbpf would take${where}`, { relocations: failing, counts })
  }
  const bytes = applyPatches(object.bytes, patches, allocateShared)
  const wantsReport = task.report === 'always' || (task.report === 'poisoned' && counts.poisoned > 0)
  return {
    bytes,
    sha256: sha256(bytes),
    counts,
    verdict: overallVerdict(relocation),
    report: wantsReport ? describeRelocation(object, relocation) : undefined,
    parseMs: parsed - started,
    relocateMs: performance.now() - parsed
  }
}

/** @throws AppError `object_invalid` */
export function inspect (task: InspectTask): InspectedObject {
  const hash = sha256(task.object)
  const object = parseObject(task.object)
  return { sha256: hash, inspection: task.wantsInspection ? inspectObject(object) : undefined }
}
