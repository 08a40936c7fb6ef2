import { join } from 'node:path'
import { formatReference, isSegment, type KernelReference } from '../identity/reference.js'
import { isSha256, sha256, type Sha256 } from '../store/sha256.js'

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
}

/** One row of the index: a kernel's name, the content it stands for, and who says so. */
export interface KernelRecord {
  readonly reference: KernelReference
  readonly btfSha256: Sha256
  /** Bytes of raw BTF. */
  readonly bytes: number
  readonly types: number
  /** The kernel's GNU build-id (hex), where its image was at hand. */
  readonly buildId?: string
  /** `local`, `upload`, and the names of other sources. */
  readonly source: string
  readonly provenance: Provenance
  /** RFC 3339. */
  readonly firstSeen: string
  readonly lastUsed: string
  readonly modules: readonly ModuleRecord[]
  /** When all kernels that its bare release can mean had been asked for (RFC 3339). Before that the release alone means nothing. */
  readonly releaseAskedAt?: string
}

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

const FORMAT = 1

/** The record's file below the index folder. The parts of a reference are safe as names (isSegment). */
export function recordPath (directory: string, { distro, distroVersion, arch, release }: KernelReference): string {
  return join(directory, distro, distroVersion, arch, `${release}.json`)
}

/** A module as it is stored. A kernel has thousands, of which nearly all came with it: what they share with its record is not repeated. */
type StoredModule = Omit<ModuleRecord, 'source' | 'provenance'> & Partial<Pick<ModuleRecord, 'source' | 'provenance'>>

/** The record as a file: JSON with a checksum over itself, so that a damaged file is noticed and not believed. */
export function serializeRecord (record: KernelRecord): string {
  const body = { format: FORMAT, ...record, modules: record.modules.map(module => toStored(module, record)) }
  return `${JSON.stringify({ ...body, checksum: checksumOf(body) })}\n`
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
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null || !('checksum' in json)) return undefined
  const { checksum, ...body } = json
  if (checksum !== checksumOf(body)) return undefined
  // The checksum proves that serializeRecord made it.
  const { format, ...record } = body as { format: unknown, modules: readonly StoredModule[] } & Omit<KernelRecord, 'modules'>
  if (format !== FORMAT || !isSha256(record.btfSha256)) return undefined
  const { source, provenance } = record
  return formatReference(record.reference).split('/').every(isSegment)
    ? { ...record, modules: record.modules.map(module => ({ source, provenance, ...module })) }
    : undefined
}

function checksumOf (body: object): Sha256 { return sha256(JSON.stringify(body)) }
