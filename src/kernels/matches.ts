import { isFetched, UPLOAD_SOURCE, type Build, type KernelRecord } from './kernel-record.js'
import { buildsOf, saidAt } from './merge-records.js'
import { formatReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { isSameDistro, isSamePlatform } from '../identity/platform.js'

/** What narrows a search of kernels. Parts that are not given allow everything. */
export type KernelNarrowing = Partial<Pick<KernelQuery, 'distro' | 'distroVersion' | 'arch'>>

/** What a query says of the build. */
export type WantedBuild = Pick<KernelQuery, 'kernelVersion' | 'buildId'>

/**
 * Whether a kernel may be the one that is meant, in any spelling of its platform. The architecture is in BTFHub's spelling on
 * both sides.
 */
export function matchesName ({ distro, distroVersion, arch }: KernelNarrowing, reference: KernelReference): boolean {
  if (arch !== undefined && arch !== reference.arch) return false
  if (distroVersion !== undefined) return isSamePlatform({ distro: distro ?? reference.distro, distroVersion }, reference)
  return distro === undefined || isSameDistro(distro, reference.distro)
}

/** Whether content of this source may decide what a name means. */
export function answersForName ({ source }: { readonly source: string }, trustUploads: boolean): boolean {
  return trustUploads || source !== UPLOAD_SOURCE
}

/**
 * How a row's build agrees with the one that is meant: known to be it, not known to be another, or known to be another. One
 * release may be built several times. Where either side does not know its build, the name has to do. Whoever does not know the build
 * takes nothing back from those who do: an upload not from other uploads, and the others not from each other.
 */
export function agreement (wanted: WantedBuild, record: KernelRecord, trustUploads: boolean): 'same' | 'possible' | 'other' {
  const builds = buildsOf(record).filter(build => build.source === record.source || answersForName(build, trustUploads))
  const known = builds.filter(build => !isBlank(build))
  const isProven = known.some(({ source }) => source !== UPLOAD_SOURCE)
  let best: 'same' | 'possible' | 'other' = 'other'
  for (const build of builds) {
    if (isBlank(build) && (isProven || (known.length > 0 && build.source === UPLOAD_SOURCE))) continue
    const found = agreementOfBuild(wanted, build)
    if (found === 'same') return found
    if (found === 'possible') best = found
  }
  return best
}

function isBlank ({ kernelVersion, buildId }: Build): boolean { return kernelVersion === undefined && buildId === undefined }

/** The same of one build, as one supplier knows it. */
export function agreementOfBuild ({ kernelVersion, buildId }: WantedBuild, build: WantedBuild): 'same' | 'possible' | 'other' {
  // A build-id is made from the build itself, and says more than the text of a version.
  if (buildId !== undefined && build.buildId !== undefined) return buildId === build.buildId ? 'same' : 'other'
  if (kernelVersion === undefined || build.kernelVersion === undefined) return 'possible'
  return kernelVersion === build.kernelVersion ? 'same' : 'other'
}

export function isSameBuild (wanted: WantedBuild, record: KernelRecord, trustUploads: boolean): boolean {
  return agreement(wanted, record, trustUploads) !== 'other'
}

/**
 * Those of the rows that still count: neither replaced by an operator, nor followed by other content that the same source now
 * gives for the same build.
 */
export function inForce (records: readonly KernelRecord[]): readonly KernelRecord[] {
  if (records.length < 2) return records
  // Any number of uploads may be under one name, and none of them replaces anything.
  const later = records.filter(record => record.supersedes !== undefined || isFetched(record))
  return later.length === 0 ? records : records.filter(record => !later.some(other => replaces(other, record)))
}

function replaces (later: KernelRecord, record: KernelRecord): boolean {
  if (later === record || later.btfSha256 === record.btfSha256) return false
  if (formatReference(later.reference) !== formatReference(record.reference)) return false
  if (supersedes(later, record)) return true
  return isFetched(later) && later.source === record.source &&
    later.provenance.kernelVersion === record.provenance.kernelVersion && saidAt(later) > saidAt(record)
}

/** Whether an operator put one content in the place of the other, which was not supplied again since. */
export function supersedes (later: Superseding, earlier: Superseding): boolean {
  const at = replacedAt(later, earlier)
  const before = earlier.provenance.at
  return at !== undefined && (at > before || (at === before && replacedAt(earlier, later) === undefined))
}

function replacedAt ({ supersedes = [] }: Superseding, { btfSha256 }: Superseding): string | undefined {
  return supersedes.find(replaced => replaced.btfSha256 === btfSha256)?.at
}

type Superseding = Pick<KernelRecord, 'btfSha256' | 'provenance' | 'supersedes'>
