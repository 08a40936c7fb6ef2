import { normalizeArch } from '../identity/arch.js'
import { toReference, type KernelReference } from '../identity/reference.js'
import type { WantedBuild } from '../kernels/matches.js'
import type { KernelFilter } from '../kernels/types.js'
import { DEFAULT_LIMIT } from './schemas/kernel.js'

/** The kernel that an address names. */
export function toKernelReference (params: {
  readonly distro: string
  readonly version: string
  readonly arch: string
  readonly release: string
}): KernelReference {
  return toReference({ distro: params.distro, distroVersion: params.version, arch: params.arch, release: params.release })
}

/** The query parameters that say which build of a kernel is meant. */
export interface BuildQuery {
  readonly kernel_version?: string | undefined
  readonly kernel_build_id?: string | undefined
}

export function toBuild ({ kernel_version: kernelVersion, kernel_build_id: buildId }: BuildQuery): WantedBuild {
  return { ...(kernelVersion === undefined ? {} : { kernelVersion }), ...(buildId === undefined ? {} : { buildId: buildId.toLowerCase() }) }
}

interface ListQuery {
  readonly release?: string | undefined
  readonly distro?: string | undefined
  readonly distro_version?: string | undefined
  readonly arch?: string | undefined
  readonly offered?: boolean | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export function toKernelFilter (query: ListQuery): KernelFilter {
  return {
    limit: query.limit ?? DEFAULT_LIMIT,
    ...(query.release === undefined ? {} : { release: query.release }),
    ...(query.distro === undefined ? {} : { distro: query.distro }),
    ...(query.distro_version === undefined ? {} : { distroVersion: query.distro_version }),
    ...(query.arch === undefined ? {} : { arch: normalizeArch(query.arch) }),
    ...(query.offered === undefined ? {} : { offered: query.offered }),
    ...(query.cursor === undefined ? {} : { cursor: query.cursor })
  }
}

/** The address of the page after this one: the same question, from another place. */
export function nextPageUrl (url: string, cursor: string): string {
  const [path = '', query = ''] = url.split('?')
  const parameters = query.split('&').filter(parameter => parameter !== '' && !parameter.startsWith('cursor='))
  return `${path}?${[...parameters, `cursor=${encodeURIComponent(cursor)}`].join('&')}`
}
