import { AppError } from '../errors.js'
import { agreement, answersForName, inForce, isSameBuild, matchesName, supersedes } from './matches.js'
import type { KernelNames } from './kernel-index.js'
import { isFetched, type KernelRecord, type ModuleRecord } from './kernel-record.js'
import { buildsOf, saidAt } from './merge-records.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import { isSharedKernel } from './shared-kernels.js'
import { unknownKernel, type ResolveOptions } from './unknown-kernel.js'

/** The kernel that a query means. */
export interface ResolvedKernel {
  /**
   * The whole reference that was asked for; else that of the one kernel that matches, or the bare release where several of that
   * release share one BTF.
   */
  readonly name: string
  readonly btfSha256: Sha256
  /** All rows that match. They have the same BTF. */
  readonly records: readonly [KernelRecord, ...KernelRecord[]]
}

/** The rows that have the name a query says and may answer for it, whatever their build. */
export function recordsOfName (index: KernelNames, query: KernelQuery, trustUploads: boolean): readonly KernelRecord[] {
  const named = index.byRelease(query.release).filter(record => matchesName(query, record.reference))
  return inForce(named.filter(record => answersForName(record, trustUploads)))
}

/**
 * Finds the one BTF that a query means. Never a guess: a whole reference means exactly that kernel, by whatever spelling of
 * its platform it is held, and a bare release means something only where everything that matches has the same content.
 *
 * @throws AppError `kernel_unknown` with `sources`, `nearest` and `candidates`, `kernel_ambiguous` with `candidates`
 */
export function resolveKernel (index: KernelNames, query: KernelQuery, options: ResolveOptions): ResolvedKernel {
  const { trustUploads } = options
  const built = query.buildId === undefined ? [] : recordsOfBuild(index, query.buildId, trustUploads, query)
  if (built.length > 0) return resolveRecords(query, spelledAs(query, built))
  const meant = spelledAs(query, ofSameBuild(query, recordsOfName(index, query, trustUploads), trustUploads))
  const [first] = meant
  if (first === undefined) throw unknownKernel(index, query, options)
  return resolveRecords(query, meant)
}

/** Whether the build-id that the query may have is known: it settles the kernel, or contradicts the name, and no source has to be asked. */
export function hasBuild (index: KernelNames, { buildId }: KernelQuery, trustUploads: boolean): boolean {
  return buildId !== undefined && recordsOfBuild(index, buildId, trustUploads).length > 0
}

/**
 * The rows that a build-id names and that may answer for it. A build-id settles the kernel by itself, as a hash does. A name beside it
 * must be one of that kernel's, that of a distribution which installs it included.
 *
 * @param query the name, where there is one
 * @returns none where no row is known to have the build-id: the name has to do then
 * @throws AppError `kernel_ambiguous` where the name is of another kernel, with both
 */
export function recordsOfBuild (index: KernelNames, buildId: string, trustUploads: boolean, query?: KernelQuery): readonly KernelRecord[] {
  const built = index.byBuildId(buildId).filter(record => answersForName(record, trustUploads) &&
    inForce(index.named(record.reference)).includes(record) &&
    buildsOf(record).some(build => build.buildId === buildId && (build.source === record.source || answersForName(build, trustUploads))))
  if (query === undefined || built.length === 0) return built
  const named = built.filter(record => record.reference.release === query.release &&
    (matchesName(query, record.reference) || isSharedKernel(query, record)))
  if (named.length > 0) return named
  const names = built.map(({ reference }) => formatReference(reference)).join(', ')
  throw ambiguous({ ...query, buildId }, built,
    `The build-id ${buildId} is that of ${names}, and not of ${formatQuery(query)}, which the request names; ` +
    'correct the one, or leave the other out.')
}

/**
 * The one BTF that all of these rows have.
 *
 * @throws AppError `kernel_ambiguous`
 */
export function resolveRecords (query: KernelQuery, records: readonly KernelRecord[]): ResolvedKernel {
  const [first, ...others] = records
  if (first === undefined) throw new AppError('internal_error', 'A kernel without rows cannot be resolved.')
  if (others.some(record => record.btfSha256 !== first.btfSha256)) throw ambiguous(query, records)
  const name = isWholeReference(query) || others.length > 0 ? formatQuery(query) : formatReference(first.reference)
  return { name, btfSha256: first.btfSha256, records: [first, ...others] }
}

/** Where a kernel is known to be the very build that is meant, those of which no build is known are not. */
function ofSameBuild (query: KernelQuery, records: readonly KernelRecord[], trustUploads: boolean): readonly KernelRecord[] {
  if (query.kernelVersion === undefined && query.buildId === undefined) return records
  const known = records.filter(record => agreement(query, record, trustUploads) === 'same')
  return known.length > 0 ? known : records.filter(record => isSameBuild(query, record, trustUploads))
}

/** The record of exactly the reference that was asked for is it, whatever other spellings have. */
function spelledAs (query: KernelQuery, records: readonly KernelRecord[]): readonly KernelRecord[] {
  if (!isWholeReference(query)) return records
  const name = formatReference(query)
  const exact = records.filter(({ reference }) => formatReference(reference) === name)
  return exact.length === 0 ? records : exact
}

/** The BTFs of a row that may answer for a module's name: one for each content that counts. */
function modulesNamed (record: KernelRecord, name: string, trustUploads: boolean): readonly ModuleRecord[] {
  const named = record.modules.filter(module => module.name === name && answersForName(module, trustUploads))
  return named.length < 2 ? named : named.filter(module => !named.some(later => replacesModule(later, module)))
}

/** As with kernels: an operator replaced it, or its source gives another now. */
function replacesModule (later: ModuleRecord, module: ModuleRecord): boolean {
  return supersedes(later, module) || (later.source === module.source && isFetched(later) && saidAt(later) > saidAt(module))
}

/** Whether a row has all these modules from those who may answer for their names. */
export function hasModules (record: KernelRecord, names: readonly string[], trustUploads: boolean): boolean {
  return names.every(name => record.modules.some(module => module.name === name && answersForName(module, trustUploads)))
}

/**
 * The BTFs of the named modules of a resolved kernel: in the kernel's own order where the record knows it (see
 * ModuleRecord lists of the running kernel), otherwise as they were named.
 *
 * @throws AppError `btf_unknown` for a module that no record has, `kernel_ambiguous` where different ones are held
 */
export function resolveModules (
  kernel: ResolvedKernel,
  names: readonly string[],
  { trustUploads }: ResolveOptions
): readonly ModuleRecord[] {
  if (names.length === 0) return []
  const complete = kernel.records.filter(record => hasModules(record, names, trustUploads))
  const [first] = complete
  if (first === undefined) throw unknownModule(kernel, names, trustUploads)
  for (const name of names) {
    const held = complete.flatMap(record => modulesNamed(record, name, trustUploads))
    if (new Set(held.map(({ btfSha256 }) => btfSha256)).size > 1) throw ambiguousModule(kernel, name, held)
  }
  const picked = names.flatMap(name => modulesNamed(first, name, trustUploads).slice(0, 1))
  const isOrdered = picked.every(module => module.loadOrder !== undefined)
  return isOrdered ? picked.sort((a, b) => (a.loadOrder ?? 0) - (b.loadOrder ?? 0)) : picked
}

/** What tells rows apart, as an error lists them. */
function candidateOf ({ reference, btfSha256, source, buildId, provenance: { kernelVersion } }: KernelRecord): Record<string, unknown> {
  return {
    reference: formatReference(reference),
    btf_sha256: btfSha256,
    source,
    ...(kernelVersion === undefined ? {} : { kernel_version: kernelVersion }),
    ...(buildId === undefined ? {} : { build_id: buildId })
  }
}

/** Most rows that an error lists. */
const CANDIDATES_SHOWN = 64

function ambiguous (query: KernelQuery, records: readonly KernelRecord[], message?: string): AppError {
  const contents = new Set(records.map(({ btfSha256 }) => btfSha256)).size
  const isWhole = isWholeReference(query)
  const names = new Set(records.map(({ reference }) => formatReference(reference)))
  const advice = !isWhole && names.size > 1 ? 'name the whole reference' : 'say which build it is with kernel_version (uname -v)'
  return new AppError('kernel_ambiguous',
    message ?? `${isWhole ? formatReference(query) : `Release ${query.release}`} can mean ${contents} different BTFs, ` +
      `which are listed as candidates; ${advice}, or name one BTF with btf_sha256.`,
    {
      kernel: formatQuery(query),
      ...(query.buildId === undefined ? {} : { build_id: query.buildId }),
      candidates: records.slice(0, CANDIDATES_SHOWN).map(candidateOf)
    })
}

function ambiguousModule (kernel: ResolvedKernel, name: string, held: readonly ModuleRecord[]): AppError {
  const candidates = held.map(({ btfSha256, source, provenance: { by } }) => ({
    reference: kernel.name,
    module: name,
    btf_sha256: btfSha256,
    source,
    by
  }))
  return new AppError('kernel_ambiguous',
    `Several different BTFs are held for module ${name} of kernel ${kernel.name}; ` +
    'name it by hash (GET /relocated/… with modules), or leave it out.',
    { kernel: kernel.name, module: name, candidates: candidates.slice(0, CANDIDATES_SHOWN) })
}

function unknownModule (kernel: ResolvedKernel, names: readonly string[], trustUploads: boolean): AppError {
  const module = names.find(name => !kernel.records.some(record => hasModules(record, [name], trustUploads))) ?? names.join(', ')
  const isUploaded = !trustUploads && kernel.records.some(record => hasModules(record, [module], true))
  const why = isUploaded
    ? 'It was uploaded, but uploads answer only for their hash here (CORELO_TRUST_UPLOADS).'
    : 'Supply it, or leave the module out.'
  return new AppError('btf_unknown', `No BTF answers for module ${module} of kernel ${kernel.name}. ${why}`,
    { kernel: kernel.name, module })
}
