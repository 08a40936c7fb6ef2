import { AppError } from '../errors.js'
import { parseBuildId } from '../identity/build-id.js'
import { parseQuery, type KernelQuery } from '../identity/reference.js'
import { LIMITS } from '../limits.js'
import type { RelocateRequest } from '../relocation/types.js'
import type { Sha256 } from '../store/sha256.js'
import type { PartKind } from './multipart-request.js'
import type { KernelFields } from './schemas/relocate.js'

/** The parts of a form that name one kernel, or bring its BTF. */
export const KERNEL_PARTS = {
  kernel_release: 'text',
  arch: 'text',
  distro: 'text',
  distro_version: 'text',
  kernel_version: 'text',
  btf_sha256: 'text',
  kernel_build_id: 'text',
  btf: 'repeatable file',
  modules: 'text'
} as const satisfies Record<string, PartKind>

/** What says more of the kernel beside its release. */
const NARROWING = ['arch', 'distro', 'distro_version', 'kernel_version'] as const

/**
 * What a request says of the kernel.
 *
 * @param btf the files that came with it
 * @throws AppError `invalid_request`, `btf_invalid`
 */
export function toTargetRequest (
  fields: KernelFields,
  btf: readonly Uint8Array[] | undefined
): Pick<RelocateRequest, 'btf' | 'kernel' | 'buildId' | 'btfSha256' | 'modules'> {
  if (btf?.some(({ length }) => length === 0) === true) {
    throw new AppError('btf_invalid', 'A part btf is empty; send raw BTF, or ELF with .BTF.', { part: 'btf' })
  }
  const kernel = toKernel(fields)
  if (kernel === undefined && fields.btf_sha256 === undefined && fields.kernel_build_id === undefined && btf === undefined) {
    throw invalid('kernel_release', 'The request names no kernel; give kernel_release, kernel_build_id, btf_sha256 or a part btf.')
  }
  return {
    btf,
    kernel,
    buildId: fields.kernel_build_id === undefined ? undefined : parseBuildId(fields.kernel_build_id),
    btfSha256: fields.btf_sha256 as Sha256 | undefined, // the schema has checked its form
    modules: fields.modules === undefined ? undefined : toList('modules', fields.modules)
  }
}

function toKernel (fields: KernelFields): KernelQuery | undefined {
  const {
    kernel_release: kernelRelease,
    arch,
    distro,
    distro_version: distroVersion,
    kernel_version: kernelVersion,
    kernel_build_id: buildId
  } = fields
  if (kernelRelease !== undefined) return parseQuery({ kernelRelease, arch, distro, distroVersion, kernelVersion, buildId })
  const narrowing = NARROWING.find(field => fields[field] !== undefined)
  if (narrowing !== undefined) throw invalid(narrowing, `${narrowing} narrows kernel_release, which is missing; give both, or neither.`)
  return undefined
}

/** The members of a comma separated list whose form the schema has checked. */
export function toList (field: string, text: string): string[] {
  const members = text.split(',')
  if (members.length > LIMITS.moduleBtfs) {
    throw invalid(field, `${field} names ${members.length} modules; the limit is ${LIMITS.moduleBtfs}.`)
  }
  if (new Set(members).size !== members.length) throw invalid(field, `${field} names a module twice; name each once.`)
  return members
}

function invalid (field: string, message: string): AppError { return new AppError('invalid_request', message, { field }) }
