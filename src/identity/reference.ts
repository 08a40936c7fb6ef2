import { AppError } from '../errors.js'
import type { ReferenceJson } from '../wire/kernel.js'
import { contradiction } from './agreement.js'
import { normalizeArch } from './arch.js'
import { parseBuildId } from './build-id.js'
import { makerOf } from './maker.js'

/** One kernel, by all four parts of its name: `<distro>/<distro_version>/<arch>/<kernel_release>`. */
export interface KernelReference {
  readonly distro: string
  readonly distroVersion: string
  /** BTFHub's name: `x86_64`, `arm64`. */
  readonly arch: string
  /** `uname -r`. */
  readonly release: string
}

/** What a caller said of the kernel it means: at least the release. With distro, version and arch it is a whole reference. */
export interface KernelQuery {
  readonly release: string
  readonly distro?: string
  readonly distroVersion?: string
  readonly arch?: string
  /** `uname -v`. Tells builds of one release apart where the service knows that of its kernel too. */
  readonly kernelVersion?: string
  /** The kernel's GNU build-id, in hex. No two builds have the same. */
  readonly buildId?: string
}

/** The fields of a request that name a kernel, as they came. */
export interface KernelFields {
  /** A bare release, or a whole reference. */
  readonly kernelRelease: string
  readonly distro?: string | undefined
  readonly distroVersion?: string | undefined
  readonly arch?: string | undefined
  readonly kernelVersion?: string | undefined
  readonly buildId?: string | undefined
}

const SEGMENT = /^[A-Za-z0-9._+~-]{1,128}$/
const SEGMENT_RULE = 'must be 1 to 128 of the characters A-Z a-z 0-9 . _ + ~ - and neither "." nor "..".'
const KERNEL_VERSION_MAX = 256

/** Whether the text may be a part of a kernel reference, or a module's name. Such a text is safe as a file name. */
export function isSegment (text: string): boolean { return SEGMENT.test(text) && text !== '.' && text !== '..' }

export function formatReference (reference: KernelReference): string {
  return `${reference.distro}/${reference.distroVersion}/${reference.arch}/${reference.release}`
}

/** The query in the form it was asked in: the whole reference, or the bare release. */
export function formatQuery (query: KernelQuery): string { return isWholeReference(query) ? formatReference(query) : query.release }

/** Whether the query names all four parts. */
export function isWholeReference (query: KernelQuery): query is KernelQuery & KernelReference {
  return query.distro !== undefined && query.distroVersion !== undefined && query.arch !== undefined
}

/**
 * A reference of checked parts, its architecture in BTFHub's spelling.
 *
 * @throws AppError `invalid_request` with the `field` that is wrong
 */
export function toReference (parts: KernelReference): KernelReference {
  return {
    distro: requireSegment('distro', parts.distro),
    distroVersion: requireSegment('distro_version', parts.distroVersion),
    arch: normalizeArch(requireSegment('arch', parts.arch)),
    release: requireSegment('kernel_release', parts.release)
  }
}

/** @throws AppError `invalid_request` */
export function parseReference (text: string): KernelReference {
  const parts = text.split('/')
  const [distro, distroVersion, arch, release] = parts
  if (parts.length !== 4 || distro === undefined || distroVersion === undefined || arch === undefined || release === undefined) {
    throw invalid('kernel_release',
      'A whole kernel reference is <distro>/<distro_version>/<arch>/<kernel_release>, such as ubuntu/20.04/x86_64/5.4.0-42-generic; ' +
      `this one has ${parts.length} parts.`)
  }
  requireParts({ distro, distroVersion, arch, release })
  return { distro, distroVersion, arch: normalizeArch(arch), release }
}

/**
 * Reads what a request says of a kernel. Fields beside a whole reference must agree with it, and `uname -v` with the distribution that
 * is named; where none is, the one that the kernel itself names counts.
 *
 * @throws AppError `invalid_request`
 */
export function parseQuery (fields: KernelFields): KernelQuery {
  const query = readQuery(fields)
  if (query.kernelVersion === undefined) return query
  requireMaker(query, query.kernelVersion)
  const maker = query.distro === undefined && query.distroVersion === undefined ? makerOf(query.release, query.kernelVersion) : undefined
  return maker?.distroVersion === undefined ? query : { ...query, distro: maker.distro, distroVersion: maker.distroVersion }
}

/**
 * Refuses a name whose distribution cannot be the one that built the kernel, by the kernel's own word in `uname -v`.
 *
 * @throws AppError `invalid_request` with the `field` kernel_version
 */
export function requireMaker ({ distro, distroVersion, release }: KernelQuery, kernelVersion: string): void {
  if (distro === undefined || distroVersion === undefined) return
  const against = contradiction({ distro, distroVersion }, { release, kernelVersion })
  if (against === undefined) return
  throw invalid('kernel_version',
    `The request names a kernel of ${distro} ${distroVersion}, but by its kernel_version (uname -v) the kernel ${against}; ` +
    'name it as that, or leave the distribution out.')
}

function readQuery (fields: KernelFields): KernelQuery {
  const narrowing = toNarrowing(fields)
  if (!fields.kernelRelease.includes('/')) return { release: requireSegment('kernel_release', fields.kernelRelease), ...narrowing }
  const reference = parseReference(fields.kernelRelease)
  for (const [field, whole, given] of [
    ['distro', reference.distro, narrowing.distro],
    ['distro_version', reference.distroVersion, narrowing.distroVersion],
    ['arch', reference.arch, narrowing.arch]
  ] as const) {
    if (given !== undefined && given !== whole) {
      throw invalid(field, `kernel_release names ${field} ${whole}, but the field ${field} says ${given}; leave one of them out.`)
    }
  }
  return { ...narrowing, ...reference }
}

/** A reference and its parts, as answers, events and the command's JSON have them. */
export function toReferenceJson (reference: KernelReference): ReferenceJson {
  const { distro, distroVersion, arch, release } = reference
  return { reference: formatReference(reference), distro, distro_version: distroVersion, arch, release }
}

type Narrowing = Omit<KernelQuery, 'release'>
type Writable<T> = { -readonly [Field in keyof T]: T[Field] }

/** Member by member: it is done for every request, and a spread for each member costs more than all the rest. */
function toNarrowing ({ distro, distroVersion, arch, kernelVersion, buildId }: KernelFields): Narrowing {
  const narrowing: Writable<Narrowing> = {}
  if (distro !== undefined) narrowing.distro = requireSegment('distro', distro)
  if (distroVersion !== undefined) narrowing.distroVersion = requireSegment('distro_version', distroVersion)
  if (arch !== undefined) narrowing.arch = normalizeArch(requireSegment('arch', arch))
  if (kernelVersion !== undefined) narrowing.kernelVersion = requireKernelVersion(kernelVersion)
  if (buildId !== undefined) narrowing.buildId = parseBuildId(buildId)
  return narrowing
}

/** The field at fault is the one that the caller sent, which holds all four parts. */
function requireParts ({ distro, distroVersion, arch, release }: KernelReference): void {
  for (const [name, value] of Object.entries({ distro, distro_version: distroVersion, arch, kernel_release: release })) {
    if (!isSegment(value)) throw invalid('kernel_release', `In kernel_release, the ${name} of a kernel reference ${SEGMENT_RULE}`)
  }
}

function requireSegment (field: string, value: string): string {
  if (!isSegment(value)) throw invalid(field, `${field} ${SEGMENT_RULE}`)
  return value
}

/** `uname -v` has spaces, colons and #; it is compared, never used as a path. */
function requireKernelVersion (value: string): string {
  if (value.length === 0 || value.length > KERNEL_VERSION_MAX || !/^[\x20-\x7e]+$/.test(value)) {
    throw invalid('kernel_version', `kernel_version must be the output of uname -v: 1 to ${KERNEL_VERSION_MAX} printable ASCII characters.`)
  }
  return value
}

function invalid (field: string, message: string): AppError { return new AppError('invalid_request', message, { field }) }
