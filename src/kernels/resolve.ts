import { AppError } from '../errors.js'
import { answersForName, isSameBuild, matchesName } from './matches.js'
import type { KernelIndex } from './kernel-index.js'
import type { KernelRecord, ModuleRecord } from './kernel-record.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import { unknownKernel, type ResolveOptions } from './unknown-kernel.js'

export { answersForName, unknownKernel }
export type { ResolveOptions, SourceAnswer } from './unknown-kernel.js'

/** The kernel that a query means. */
export interface ResolvedKernel {
  /**
   * The whole reference that was asked for; else that of the one kernel that matches, or the bare release where several of that
   * release share one BTF.
   */
  readonly name: string
  readonly btfSha256: Sha256
  /** All records that match. They have the same BTF. */
  readonly records: readonly [KernelRecord, ...KernelRecord[]]
}

/** The records that have the name a query says and may answer for it, whatever their build. */
export function recordsOfName (index: KernelIndex, query: KernelQuery, trustUploads: boolean): KernelRecord[] {
  return index.byRelease(query.release).filter(record => matchesName(query, record.reference) && answersForName(record, trustUploads))
}

/**
 * Finds the one BTF that a query means. Never a guess: a whole reference means exactly that kernel, by whatever spelling of
 * its platform it is held, and a bare release means something only where everything that matches has the same content.
 *
 * @throws AppError `kernel_unknown` with `sources`, `nearest` and `candidates`, `kernel_ambiguous` with `candidates`
 */
export function resolveKernel (index: KernelIndex, query: KernelQuery, options: ResolveOptions): ResolvedKernel {
  const matching = index.byRelease(query.release).filter(record => matches(query, record))
  const usable = matching.filter(record => answersForName(record, options.trustUploads))
  const meant = spelledAs(query, ofSameBuild(query, usable))
  const [first, ...others] = meant
  if (first === undefined) throw unknownKernel(index, query, matching.length, options)
  if (others.some(record => record.btfSha256 !== first.btfSha256)) throw ambiguous(query, meant)
  const name = isWholeReference(query) || others.length > 0 ? formatQuery(query) : formatReference(first.reference)
  return { name, btfSha256: first.btfSha256, records: [first, ...others] }
}

/** Where a kernel is known to be the very build that is meant, those of which no build is known are not. */
function ofSameBuild ({ kernelVersion }: KernelQuery, records: readonly KernelRecord[]): readonly KernelRecord[] {
  const known = kernelVersion === undefined ? [] : records.filter(({ provenance }) => provenance.kernelVersion === kernelVersion)
  return known.length === 0 ? records : known
}

/** The record of exactly the reference that was asked for is it, whatever other spellings have. */
function spelledAs (query: KernelQuery, records: readonly KernelRecord[]): readonly KernelRecord[] {
  if (!isWholeReference(query)) return records
  const name = formatReference(query)
  const exact = records.filter(({ reference }) => formatReference(reference) === name)
  return exact.length === 0 ? records : exact
}

/**
 * The BTFs of the named modules of a resolved kernel: in the kernel's own order where the record knows it (see
 * ModuleRecord lists of the running kernel), otherwise as they were named.
 *
 * @throws AppError `btf_unknown` for a module that no record has, `kernel_ambiguous` where records have different ones
 */
export function resolveModules (kernel: ResolvedKernel, names: readonly string[], options: ResolveOptions): readonly ModuleRecord[] {
  if (names.length === 0) return []
  const usable = (record: KernelRecord): ModuleRecord[] => record.modules.filter(module => answersForName(module, options.trustUploads))
  const complete = kernel.records.filter(record => names.every(name => usable(record).some(module => module.name === name)))
  const [first, ...others] = complete
  if (first === undefined) throw unknownModule(kernel, names, usable)
  const pick = (record: KernelRecord): ModuleRecord[] => {
    const modules = usable(record)
    const isOrdered = record.modules.every(module => module.loadOrder !== undefined)
    const picked = names.flatMap(name => modules.find(module => module.name === name) ?? [])
    return isOrdered ? picked.sort((a, b) => (a.loadOrder ?? 0) - (b.loadOrder ?? 0)) : picked
  }
  const picked = pick(first)
  const spelled = picked.map(module => module.btfSha256).join()
  const different = others.filter(record => pick(record).map(module => module.btfSha256).join() !== spelled)
  if (different.length > 0) throw ambiguous({ release: first.reference.release }, [first, ...different])
  return picked
}

function matches (query: KernelQuery, record: KernelRecord): boolean { return matchesName(query, record.reference) && isSameBuild(query, record) }

function ambiguous (query: KernelQuery, records: readonly KernelRecord[]): AppError {
  const candidates = records.map(({ reference, btfSha256, source, provenance: { kernelVersion } }) => ({
    reference: formatReference(reference), btf_sha256: btfSha256, source, ...(kernelVersion === undefined ? {} : { kernel_version: kernelVersion })
  }))
  return new AppError('kernel_ambiguous',
    `${isWholeReference(query) ? formatReference(query) : `Release ${query.release}`} is that of ${candidates.length} kernels with different BTF; ${isWholeReference(query) ? 'name one as it is held' : 'name the whole reference'}, or one BTF with btf_sha256.`,
    { kernel: formatQuery(query), candidates })
}

function unknownModule (kernel: ResolvedKernel, names: readonly string[], usable: (record: KernelRecord) => readonly ModuleRecord[]): AppError {
  const module = names.find(name => kernel.records.every(record => !usable(record).some(held => held.name === name))) ?? names.join(', ')
  return new AppError('btf_unknown', `No BTF is held for module ${module} of kernel ${kernel.name}; supply it, or leave the module out.`, { kernel: kernel.name, module })
}
