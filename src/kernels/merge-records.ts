import {
  IMPORT_SOURCE, LOCAL_SOURCE, UPLOAD_SOURCE, type Build, type KernelRecord, type ModuleRecord, type Replacement
} from './kernel-record.js'
import type { Sha256 } from '../store/sha256.js'

/** Most builds that one content is known for. A content that more builds share is rare: any change of a type is another content. */
const MAX_BUILDS = 32

/**
 * Most uploaded modules that one row lists. A distribution's kernel has some 6,000 modules; the oldest uploads go first, and
 * nothing that anyone else supplied does.
 */
export const MAX_UPLOADED_MODULES = 8192

/** The kernel itself before the operator, the operator before a source, and everyone before an upload. */
function rankOf (source: string): number {
  if (source === LOCAL_SOURCE) return 3
  if (source === IMPORT_SOURCE) return 2
  return source === UPLOAD_SOURCE ? 0 : 1
}

/** When a supplier last said it. */
export function saidAt ({ provenance: { at, checkedAt } }: Pick<KernelRecord, 'provenance'>): string {
  return checkedAt !== undefined && checkedAt > at ? checkedAt : at
}

/**
 * Two rows of one reference and one content as one: all that either says, by the supplier that counts more. Neither an order of
 * arrival nor repetition changes the outcome, so that processes and replicas that exchange rows agree in the end.
 */
export function mergeRecords (a: KernelRecord, b: KernelRecord): KernelRecord {
  const [main, other] = countsMore(b, a) ? [b, a] : [a, b]
  const builds = mergeBuilds(main, other)
  const supersedes = mergeReplacements([...a.supersedes ?? [], ...b.supersedes ?? []])
  const releaseAskedAt = latest(a.releaseAskedAt, b.releaseAskedAt)
  const { builds: _builds, supersedes: _supersedes, releaseAskedAt: _asked, ...rest } = main
  return {
    ...rest,
    firstSeen: a.firstSeen < b.firstSeen ? a.firstSeen : b.firstSeen,
    lastUsed: a.lastUsed > b.lastUsed ? a.lastUsed : b.lastUsed,
    modules: mergeModules(main.modules, other.modules),
    ...(builds.length === 0 ? {} : { builds }),
    ...(supersedes.length === 0 ? {} : { supersedes }),
    ...(releaseAskedAt === undefined ? {} : { releaseAskedAt })
  }
}

/** Each content once, with the last time at which it was replaced. */
function mergeReplacements (all: readonly Replacement[]): readonly Replacement[] {
  const last = new Map<Sha256, Replacement>()
  for (const one of all) if (one.at > (last.get(one.btfSha256)?.at ?? '')) last.set(one.btfSha256, one)
  return [...last].sort(([a], [b]) => a < b ? -1 : 1).map(([, one]) => one)
}

type Said = Pick<KernelRecord, 'source' | 'provenance'>

/** Whether `b` is to be shown rather than `a`. Equal ones are the same. */
function countsMore (b: Said, a: Said): boolean {
  const byRank = rankOf(b.source) - rankOf(a.source)
  if (byRank !== 0) return byRank > 0
  if (b.source !== a.source) return b.source < a.source
  const [left, right] = [saidAt(a), saidAt(b)]
  // Of uploads the first counts, which later ones cannot displace; a source or a kernel is asked again, and its last word counts.
  if (left !== right) return b.source === UPLOAD_SOURCE ? right < left : right > left
  return JSON.stringify(b.provenance) < JSON.stringify(a.provenance)
}

function buildOf ({ source, buildId, provenance: { kernelVersion } }: Pick<KernelRecord, 'source' | 'buildId' | 'provenance'>): Build {
  return { source, ...(kernelVersion === undefined ? {} : { kernelVersion }), ...(buildId === undefined ? {} : { buildId }) }
}

/** All that suppliers say of a row's build: what the row itself says first. */
export function buildsOf (record: Pick<KernelRecord, 'source' | 'buildId' | 'provenance' | 'builds'>): readonly Build[] {
  return record.builds === undefined ? [buildOf(record)] : [buildOf(record), ...record.builds]
}

function mergeBuilds (main: KernelRecord, other: KernelRecord): Build[] {
  const own = keyOfBuild(buildOf(main))
  const builds = new Map([...main.builds ?? [], ...buildsOf(other)].map(build => [keyOfBuild(build), build]))
  builds.delete(own)
  const isUploaded = ({ source }: Build): boolean => source === UPLOAD_SOURCE
  const all = [...builds].sort(([a], [b]) => a < b ? -1 : 1).map(([, build]) => build)
  return [...all.filter(build => !isUploaded(build)), ...all.filter(isUploaded)].slice(0, MAX_BUILDS)
}

function keyOfBuild ({ source, kernelVersion = '', buildId = '' }: Build): string { return `${source}\n${kernelVersion}\n${buildId}` }

/** The order is that of the row that counts more: the running kernel's own is told by `loadOrder`. */
function mergeModules (main: readonly ModuleRecord[], other: readonly ModuleRecord[]): readonly ModuleRecord[] {
  if (other.length === 0) return main
  const modules = new Map(main.map(module => [keyOfModule(module), module]))
  let isChanged = false
  for (const module of other) {
    const known = modules.get(keyOfModule(module))
    if (known !== undefined && !countsMore(module, known)) continue
    modules.set(keyOfModule(module), module)
    isChanged = true
  }
  return isChanged ? withoutOldUploads([...modules.values()]) : main
}

export function keyOfModule ({ name, btfSha256 }: Pick<ModuleRecord, 'name' | 'btfSha256'>): string { return `${name} ${btfSha256}` }

function withoutOldUploads (modules: readonly ModuleRecord[]): readonly ModuleRecord[] {
  const uploads = modules.filter(({ source }) => source === UPLOAD_SOURCE)
  if (uploads.length <= MAX_UPLOADED_MODULES) return modules
  const oldest = uploads.sort((a, b) => a.provenance.at < b.provenance.at ? -1 : 1).slice(0, uploads.length - MAX_UPLOADED_MODULES)
  const dropped = new Set(oldest.map(keyOfModule))
  return modules.filter(module => !dropped.has(keyOfModule(module)))
}

function latest (a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a > b ? a : b
}
