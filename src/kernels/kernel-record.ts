import { join } from 'node:path'
import { formatReference, isSegment, type KernelReference } from '../identity/reference.js'
import type { Share } from '../store/disk-ledger.js'
import { hexOf, isSha256, sha256, type Sha256 } from '../store/sha256.js'

/** Who supplied content, and when (RFC 3339). */
export interface Provenance {
  readonly by: string
  readonly at: string
  /** `uname -v` of the kernel, where the supplier knew it. */
  readonly kernelVersion?: string
  /** The package that it was in. */
  readonly package?: { readonly repository: string, readonly name: string, readonly version: string }
  /** Where a source had it: an address without credentials, or a file. */
  readonly url?: string
  /** The origin's name for the bytes. */
  readonly etag?: string
  /** When the source last said that it still has the same. */
  readonly checkedAt?: string
}

/** Split BTF of one module of a kernel. */
export interface ModuleRecord {
  readonly name: string
  readonly btfSha256: Sha256
  /** Bytes of raw BTF. */
  readonly bytes: number
  readonly source: string
  readonly provenance: Provenance
  /** Place in the order in which the kernel loaded its modules, which is that of their BTF ids. Only the running kernel tells. */
  readonly loadOrder?: number
  /** As KernelRecord has it, of BTFs of the same module. */
  readonly supersedes?: readonly Replacement[]
}

/** That an operator put content in the place of other, and when (RFC 3339): the content may be supplied once more at another time. */
export interface Replacement {
  readonly btfSha256: Sha256
  readonly at: string
}

/** One build of a kernel, as a supplier knew it. What it did not know is left out. */
export interface Build {
  readonly source: string
  readonly kernelVersion?: string
  readonly buildId?: string
}

/** One row of the index: a kernel's name, one content that it was said to stand for, and who says so. A name has a row for each content. */
export interface KernelRecord {
  readonly reference: KernelReference
  readonly btfSha256: Sha256
  /** Bytes of raw BTF. */
  readonly bytes: number
  readonly types: number
  /** The kernel's GNU build-id (lower-case hex), where the supplier knew it. */
  readonly buildId?: string
  /** `local`, `upload`, and the names of other sources. Of several suppliers of the content, the one that counts most. */
  readonly source: string
  /** Of that supplier. */
  readonly provenance: Provenance
  /** What the other suppliers said of the build. */
  readonly builds?: readonly Build[]
  /** RFC 3339. */
  readonly firstSeen: string
  readonly lastUsed: string
  /** Split BTF that extends this content. A module has an entry for each content, as a kernel has. */
  readonly modules: readonly ModuleRecord[]
  /** Content that an operator replaced by this one: it means nothing for the name any more, unless it was supplied again since. */
  readonly supersedes?: readonly Replacement[]
  /** When all kernels that its bare release can mean had been asked for (RFC 3339). Before that the release alone means nothing. */
  readonly releaseAskedAt?: string
}

/** By what a row is told apart from others: the same name may have been given to several contents. */
export type RecordName = Pick<KernelRecord, 'reference' | 'btfSha256'>

/** Content that a node handed in: true to its hash, but nobody vouches that it is what its name says. */
export const UPLOAD_SOURCE = 'upload'

/** The running kernel's own BTF, read from the kernel itself. */
export const LOCAL_SOURCE = 'local'

/** BTF that an operator put into the cache by hand. */
export const IMPORT_SOURCE = 'import'

/** What came from no source. The kernel that runs here may be another one by the time that its BTF is wanted again. */
const SUPPLIED: ReadonlySet<string> = new Set([UPLOAD_SOURCE, IMPORT_SOURCE, LOCAL_SOURCE])

/** Whether a source gave it: such content can be had again, and may have changed there. */
export function isFetched ({ source }: { readonly source: string }): boolean { return !SUPPLIED.has(source) }

/** What the suppliers of content are to the budget of the disk. Where several supplied it, the one whose content goes last counts. */
export function shareOfSources (sources: readonly string[]): Share {
  if (sources.some(source => source === IMPORT_SOURCE || source === LOCAL_SOURCE)) return 'kept'
  if (sources.some(source => isFetched({ source }))) return 'fetched'
  return sources.length === 0 ? 'spare' : 'upload'
}

const FORMAT = 1

/** A row's name among all: no two rows have both the reference and the content. Sorts as its reference does. */
export function recordKey ({ reference, btfSha256 }: RecordName): string {
  return `${formatReference(reference)} ${btfSha256}`
}

/** The row's file below the index folder. The parts of a reference are safe as names (isSegment), and have no `@`. */
export function recordPath (directory: string, { reference, btfSha256 }: RecordName): string {
  const { distro, distroVersion, arch, release } = reference
  return join(directory, distro, distroVersion, arch, `${release}@${hexOf(btfSha256)}.json`)
}

/** The file of a kernel's only row in caches of version 0.1.0 and before. Read, and moved to its new place when it is next written. */
export function singleRecordPath (directory: string, { distro, distroVersion, arch, release }: KernelReference): string {
  return join(directory, distro, distroVersion, arch, `${release}.json`)
}

/** A module as it is stored. A kernel has thousands, of which nearly all came with it: what they share with its record is not repeated. */
type StoredModule = Omit<ModuleRecord, 'source' | 'provenance'> & Partial<Pick<ModuleRecord, 'source' | 'provenance'>>

/** The record as a file: JSON with a checksum over itself, so that a damaged file is noticed and not believed. */
export function serializeRecord (record: KernelRecord): string {
  const body = {
    format: FORMAT,
    ...record,
    reference: toParts(record.reference),
    modules: record.modules.map(module => toStored(module, record))
  }
  return `${JSON.stringify({ ...body, checksum: checksumOf(body) })}\n`
}

/** Nothing besides: a reference that was spread from a repository of packages has the keys of its signers, thirty times all else. */
function toParts ({ distro, distroVersion, arch, release }: KernelReference): KernelReference {
  return { distro, distroVersion, arch, release }
}

function toStored ({ source, provenance, ...module }: ModuleRecord, record: KernelRecord): StoredModule {
  return {
    ...module,
    ...(source === record.source ? {} : { source }),
    ...(JSON.stringify(provenance) === JSON.stringify(record.provenance) ? {} : { provenance })
  }
}

/** The record that a file holds; undefined where it is none of ours, damaged, or of another kernel than its name says. */
export function parseRecord (text: string): KernelRecord | undefined {
  const json = parseObject(text)
  if (json === undefined || !('checksum' in json)) return undefined
  const { checksum, ...body } = json
  return checksum === checksumOf(body) ? toRecord(body) : undefined
}

/** The same of a text that is known to be what serializeRecord made, by a checksum over more than it. */
export function parseTrusted (text: string): KernelRecord | undefined {
  const json = parseObject(text)
  if (json === undefined || !('checksum' in json)) return undefined
  const { checksum: _, ...body } = json
  return toRecord(body)
}

function parseObject (text: string): object | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null ? json : undefined
  } catch {
    return undefined
  }
}

/** Of the members of a file whose checksum proves that serializeRecord made it. */
function toRecord (body: object): KernelRecord | undefined {
  const { format, ...record } = body as { format: unknown, modules: readonly StoredModule[] } & Omit<KernelRecord, 'modules'>
  if (format !== FORMAT || !isSha256(record.btfSha256)) return undefined
  const { source, provenance } = record
  const reference = toParts(record.reference)
  return formatReference(reference).split('/').every(isSegment)
    ? withTimes({ ...record, reference, modules: record.modules.map(module => withTimes({ source, provenance, ...module })) })
    : undefined
}

/** Caches of version 0.1.0 and before have only the hashes of what was replaced, and no time but that of the row. */
function withTimes<T extends Pick<KernelRecord, 'provenance' | 'supersedes'>> (row: T): T {
  const { supersedes, provenance: { at } } = row
  if (supersedes === undefined) return row
  const replaced: ReadonlyArray<Replacement | Sha256> = supersedes
  return { ...row, supersedes: replaced.map(one => typeof one === 'string' ? { btfSha256: one, at } : one) }
}

function checksumOf (body: object): Sha256 { return sha256(JSON.stringify(body)) }
