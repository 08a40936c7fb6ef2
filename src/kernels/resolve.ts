import { AppError } from '../errors.js'
import type { KernelIndex } from './kernel-index.js'
import { UPLOAD_SOURCE, type KernelRecord, type ModuleRecord } from './kernel-record.js'
import { nearestKernels } from './nearest.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery } from './reference.js'
import type { Sha256 } from './sha256.js'

/** What a source said when asked for a kernel that nobody has. */
export interface SourceAnswer {
  readonly source: string
  readonly answer: string
}

export interface ResolveOptions {
  /** Whether uploaded BTF answers for a name. By hash it always does. */
  readonly trustUploads: boolean
  /** What the sources other than the index said, for the error. */
  readonly answers?: readonly SourceAnswer[]
}

/** The kernel that a query means. */
export interface ResolvedKernel {
  /** Canonical reference; the bare release where several kernels of that release share one BTF. */
  readonly name: string
  readonly btfSha256: Sha256
  /** All records that match. They have the same BTF. */
  readonly records: readonly [KernelRecord, ...KernelRecord[]]
}

const NEAREST_SHOWN = 5

/** The records that have the name a query says and may answer for it, whatever their build. */
export function recordsOfName (index: KernelIndex, query: KernelQuery, trustUploads: boolean): KernelRecord[] {
  return index.byRelease(query.release).filter(record => matchesName(query, record) && answersForName(record, trustUploads))
}

/**
 * Finds the one BTF that a query means. Never a guess: a whole reference means exactly that kernel, and a bare release means
 * something only where everything that matches has the same content.
 *
 * @throws AppError `kernel_unknown` with `sources` and `nearest`, `kernel_ambiguous` with `candidates`
 */
export function resolveKernel (index: KernelIndex, query: KernelQuery, options: ResolveOptions): ResolvedKernel {
  const matching = index.byRelease(query.release).filter(record => matches(query, record))
  const usable = matching.filter(record => answersForName(record, options.trustUploads))
  const [first, ...others] = usable
  if (first === undefined) throw unknownKernel(index, query, matching.length, options)
  if (others.some(record => record.btfSha256 !== first.btfSha256)) throw ambiguous(query, usable)
  return { name: others.length === 0 ? formatReference(first.reference) : formatQuery(query), btfSha256: first.btfSha256, records: [first, ...others] }
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

/** Whether content of this source may decide what a name means. */
export function answersForName ({ source }: { readonly source: string }, trustUploads: boolean): boolean {
  return trustUploads || source !== UPLOAD_SOURCE
}

function matches (query: KernelQuery, record: KernelRecord): boolean { return matchesName(query, record) && isSameBuild(query, record) }

function matchesName (query: KernelQuery, { reference }: KernelRecord): boolean {
  return (query.distro === undefined || query.distro === reference.distro) &&
    (query.distroVersion === undefined || query.distroVersion === reference.distroVersion) &&
    (query.arch === undefined || query.arch === reference.arch)
}

/** One release may be built several times. Where either side does not know its build, the name has to do. */
function isSameBuild (query: KernelQuery, { provenance }: KernelRecord): boolean {
  return query.kernelVersion === undefined || provenance.kernelVersion === undefined || query.kernelVersion === provenance.kernelVersion
}

function ambiguous (query: KernelQuery, records: readonly KernelRecord[]): AppError {
  const candidates = records.map(({ reference, btfSha256, source }) => ({ reference: formatReference(reference), btf_sha256: btfSha256, source }))
  return new AppError('kernel_ambiguous',
    `Release ${query.release} is that of ${candidates.length} kernels with different BTF; name the whole reference, or one BTF with btf_sha256.`,
    { kernel: formatQuery(query), candidates })
}

/** The error for a kernel that nobody has. `untrusted` counts uploads that have the name but may not answer for it. */
export function unknownKernel (index: KernelIndex, query: KernelQuery, untrusted: number, options: ResolveOptions): AppError {
  const sources = [...options.answers ?? [], ...otherBuilds(index, query), { source: UPLOAD_SOURCE, answer: uploadAnswer(untrusted) }]
  const nearest = nearestKernels(index.list().filter(record => answersForName(record, options.trustUploads)), query, NEAREST_SHOWN)
  const hint = isWholeReference(query) ? 'supply its BTF with PUT, send it as the btf part, or name another kernel' : 'supply its BTF, send it as the btf part, or name it by btf_sha256'
  return new AppError('kernel_unknown', `No BTF is known for kernel ${formatQuery(query)}; ${hint}.`, { kernel: formatQuery(query), sources, nearest })
}

/** Kernels that have the name, but say that they are another build of it. */
function otherBuilds (index: KernelIndex, query: KernelQuery): SourceAnswer[] {
  if (query.kernelVersion === undefined) return []
  return index.byRelease(query.release)
    .filter(record => matchesName(query, record) && !isSameBuild(query, record))
    .map(({ reference, source, provenance }) => ({ source, answer: `has ${formatReference(reference)} with kernel_version ${provenance.kernelVersion ?? ''}` }))
}

function uploadAnswer (untrusted: number): string {
  if (untrusted === 0) return 'nobody uploaded BTF under this name'
  return 'BTF was uploaded under this name, but uploads answer only for their hash here (CORELO_TRUST_UPLOADS)'
}

function unknownModule (kernel: ResolvedKernel, names: readonly string[], usable: (record: KernelRecord) => readonly ModuleRecord[]): AppError {
  const module = names.find(name => kernel.records.every(record => !usable(record).some(held => held.name === name))) ?? names.join(', ')
  return new AppError('btf_unknown', `No BTF is held for module ${module} of kernel ${kernel.name}; supply it, or leave the module out.`, { kernel: kernel.name, module })
}
