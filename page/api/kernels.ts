import type { KernelJson, KernelPageJson } from '../../src/wire/kernel.js'
import { mergeNames, type ListedKernel } from '../model/kernel-choice.js'
import { readJson, type Send } from './request.js'

const PAGE = 1000
/** More than the largest archive lists. */
const MAX_PAGES = 200

/**
 * All kernels that the service has, and those that its sources offer.
 *
 * @param onMore called with what is there so far
 */
export async function loadKernels (send: Send, signal: AbortSignal, onMore: (kernels: readonly ListedKernel[]) => void): Promise<void> {
  const byName = new Map<string, ListedKernel>()
  let cursor: string | null = null
  for (let page = 0; page < MAX_PAGES; page++) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(cursor === null ? {} : { cursor }) })
    const answer: KernelPageJson = await readJson(await send(`kernels?${query}`, { signal }))
    cursor = answer.next_cursor
    onMore(mergeNames(answer.kernels.map(toListed), byName))
    if (cursor === null) return
  }
}

/** Thousands are kept, so that what nobody looks at is let go of. */
function toListed (kernel: KernelJson): ListedKernel {
  const { reference, distro, distro_version: distroVersion, arch, release, state, btf_sha256: btfSha256 } = kernel
  return { reference, distro, distroVersion, arch, release, state, btfSha256 }
}
