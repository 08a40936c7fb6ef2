import { AppError } from '../errors.js'
import { answersForName, isSameBuild, matchesName } from './matches.js'
import type { KernelIndex } from './kernel-index.js'
import { UPLOAD_SOURCE, type KernelRecord } from './kernel-record.js'
import { nearestKernels } from './nearest.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'

/** What is known to be had elsewhere, for the error. See Catalog. */
export interface OfferedKernels {
  byRelease(release: string): ReadonlyArray<{ readonly reference: KernelReference, readonly sources: readonly string[] }>
  /** References of the kernels most like the one asked for. */
  nearest(query: KernelQuery, count: number): readonly string[]
}

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
  /** What could be had from sources, for the error. */
  readonly offered?: OfferedKernels
}

/** A kernel that a caller may have meant, but did not name. */
interface Candidate {
  readonly reference: string
  /** Null where the service does not hold it. */
  readonly btf_sha256: Sha256 | null
  readonly source: string
}

const NEAREST_SHOWN = 5
const CANDIDATES_SHOWN = 10

/**
 * The error for a kernel that nobody has. `untrusted` counts uploads that have the name but may not answer for it.
 *
 * `candidates` are kernels of the same release under another name: Red Hat's kernel, where one of Rocky's was asked for. They
 * are for a person to choose from, since each distribution builds its own.
 */
export function unknownKernel (index: KernelIndex, query: KernelQuery, untrusted: number, options: ResolveOptions): AppError {
  const sources = [...options.answers ?? [], ...otherBuilds(index, query), { source: UPLOAD_SOURCE, answer: uploadAnswer(untrusted) }]
  const nearest = nearestKernels(index.list().filter(record => answersForName(record, options.trustUploads)), query, NEAREST_SHOWN)
  const offered = options.offered?.nearest(query, NEAREST_SHOWN).filter(reference => !nearest.includes(reference)) ?? []
  const candidates = candidatesOf(index, query, options)
  const hint = isWholeReference(query) ? 'supply its BTF with PUT, send it as the btf part, or name another kernel' : 'supply its BTF, send it as the btf part, or name it by btf_sha256'
  const others = candidates.length === 0 ? '' : ` ${candidates.slice(0, 3).map(({ reference }) => reference).join(', ')} ${candidates.length === 1 ? 'has' : 'have'} this release too, but another build of it.`
  return new AppError('kernel_unknown', `No BTF is known for kernel ${formatQuery(query)}; ${hint}.${others}`,
    { kernel: formatQuery(query), sources, nearest, nearest_offered: offered, candidates })
}

function candidatesOf (index: KernelIndex, query: KernelQuery, { trustUploads, offered }: ResolveOptions): readonly Candidate[] {
  const held = index.byRelease(query.release)
    .filter(record => !matchesName(query, record.reference) && answersForName(record, trustUploads))
    .map(({ reference, btfSha256, source }): Candidate => ({ reference: formatReference(reference), btf_sha256: btfSha256, source }))
  const names = new Set(held.map(({ reference }) => reference))
  const elsewhere = (offered?.byRelease(query.release) ?? [])
    .filter(({ reference }) => !matchesName(query, reference) && !names.has(formatReference(reference)))
    .map(({ reference, sources }): Candidate => ({ reference: formatReference(reference), btf_sha256: null, source: sources.join(', ') }))
  return [...held, ...elsewhere].slice(0, CANDIDATES_SHOWN)
}

/** Kernels that have the name, but say that they are another build of it. */
function otherBuilds (index: KernelIndex, query: KernelQuery): SourceAnswer[] {
  return index.byRelease(query.release)
    .filter((record: KernelRecord) => matchesName(query, record.reference) && !isSameBuild(query, record))
    .map(({ reference, source, provenance }) => ({ source, answer: `has ${formatReference(reference)} with kernel_version ${provenance.kernelVersion ?? ''}` }))
}

function uploadAnswer (untrusted: number): string {
  if (untrusted === 0) return 'nobody uploaded BTF under this name'
  return 'BTF was uploaded under this name, but uploads answer only for their hash here (CORELO_TRUST_UPLOADS)'
}
