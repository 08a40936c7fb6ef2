import { AppError } from '../errors.js'
import { answersForName, inForce, matchesName } from './matches.js'
import type { KernelNames } from './kernel-index.js'
import { UPLOAD_SOURCE, type KernelRecord } from './kernel-record.js'
import { nearestKernels } from './nearest.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import type { PresetFor } from './types.js'

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
  /** What an operator could add to the sources, for the error. */
  readonly presetFor?: PresetFor
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
 * The error for a kernel for which nothing answers.
 *
 * `candidates` are kernels of the same release under another name: Red Hat's kernel, where one of Rocky's was asked for. They
 * are for a person to choose from, since each distribution builds its own.
 */
export function unknownKernel (index: KernelNames, query: KernelQuery, options: ResolveOptions): AppError {
  const { trustUploads } = options
  const named = index.byRelease(query.release).filter(record => matchesName(query, record.reference))
  const others = inForce(named.filter(record => answersForName(record, trustUploads)))
  const uploads = named.filter(record => !answersForName(record, trustUploads))
  const sources = [...options.answers ?? [], ...others.map(toOtherBuild), { source: UPLOAD_SOURCE, answer: uploadAnswer(uploads.length) }]
  const nearest = nearestKernels(index.list().filter(record => answersForName(record, trustUploads)), query, NEAREST_SHOWN)
  const offered = options.offered?.nearest(query, NEAREST_SHOWN).filter(reference => !nearest.includes(reference)) ?? []
  const candidates = candidatesOf(index, query, options)
  const step = nextStep(query, { others, uploads, candidates, presetFor: options.presetFor })
  return new AppError('kernel_unknown',
    `No BTF is known for kernel ${formatQuery(query)}${narrowingOf(query)}. ${step}`,
    { kernel: formatQuery(query), sources, nearest, nearest_offered: offered, candidates })
}

/** What a query says beside the release, where it is no whole reference. */
function narrowingOf (query: KernelQuery): string {
  if (isWholeReference(query)) return ''
  const parts = [query.distro, query.distroVersion, query.arch].filter(part => part !== undefined)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

/** The one thing to do that helps most. */
function nextStep (query: KernelQuery, { others, uploads, candidates, presetFor }: {
  readonly others: readonly KernelRecord[]
  readonly uploads: readonly KernelRecord[]
  readonly candidates: readonly Candidate[]
  readonly presetFor: PresetFor | undefined
}): string {
  const [other] = others
  if (other !== undefined) {
    const { buildId, provenance: { kernelVersion } } = other
    // What is told is what was compared.
    const version = query.buildId === undefined || buildId === undefined ? kernelVersion : undefined
    return `It is held as another build (${version ?? `build-id ${buildId ?? 'unknown'}`})${askedBuild(query)}: ` +
      'supply the BTF of this build with PUT, or send it as the btf part.'
  }
  const [upload, ...more] = uploads
  if (upload !== undefined) {
    const which = more.length === 0
      ? `name it with btf_sha256=${upload.btfSha256}`
      : `name one of the ${uploads.length} uploads with btf_sha256`
    return `BTF was uploaded under this name, and uploads answer only for their hash here: ${which}, ` +
      'have its operator approve it (corelo btf import), or let uploads answer for names (CORELO_TRUST_UPLOADS).'
  }
  if (candidates.length > 0) {
    const names = candidates.slice(0, 3).map(({ reference }) => reference).join(', ')
    return `${names} ${candidates.length === 1 ? 'has' : 'have'} this release too, but each distribution and architecture has its own ` +
      `build: name the kernel that is meant, or supply its BTF with PUT.${presetAdvice(query, presetFor)}`
  }
  if (!isWholeReference(query)) {
    return 'Name its distro, distro_version and arch, by which sources can be asked, or send its BTF as the btf part.'
  }
  return `Supply its BTF with PUT, or send it as the btf part.${presetAdvice(query, presetFor)}`
}

/** For the operator: where a distribution publishes its kernels, nobody has to supply them. */
function presetAdvice (query: KernelQuery, presetFor: PresetFor = () => undefined): string {
  const preset = isWholeReference(query) ? presetFor(query) : undefined
  if (preset === undefined) return ''
  return ` The package repositories of ${query.distro}, which this service does not ask, may have it: ` +
    `its operator can add ${preset} to CORELO_PACKAGES.`
}

function askedBuild ({ kernelVersion, buildId }: KernelQuery): string {
  const asked = [kernelVersion ?? [], buildId === undefined ? [] : `build-id ${buildId}`].flat()
  return asked.length === 0 ? '' : ` than the one that is meant (${asked.join(', ')})`
}

function candidatesOf (index: KernelNames, query: KernelQuery, { trustUploads, offered }: ResolveOptions): readonly Candidate[] {
  const held = index.byRelease(query.release)
    .filter(record => !matchesName(query, record.reference) && answersForName(record, trustUploads))
    .map(({ reference, btfSha256, source }): Candidate => ({ reference: formatReference(reference), btf_sha256: btfSha256, source }))
  const names = new Set(held.map(({ reference }) => reference))
  const elsewhere = (offered?.byRelease(query.release) ?? [])
    .filter(({ reference }) => !matchesName(query, reference) && !names.has(formatReference(reference)))
    .map(({ reference, sources }): Candidate => ({ reference: formatReference(reference), btf_sha256: null, source: sources.join(', ') }))
  return [...held, ...elsewhere].slice(0, CANDIDATES_SHOWN)
}

/** A kernel that has the name, but is another build of it. */
function toOtherBuild ({ reference, source, buildId, provenance: { kernelVersion } }: KernelRecord): SourceAnswer {
  const build = kernelVersion === undefined ? `build-id ${buildId ?? 'unknown'}` : `kernel_version ${kernelVersion}`
  return { source, answer: `has ${formatReference(reference)} with ${build}` }
}

function uploadAnswer (untrusted: number): string {
  if (untrusted === 0) return 'no upload has this name'
  return 'BTF was uploaded under this name, but uploads answer only for their hash here (CORELO_TRUST_UPLOADS)'
}
