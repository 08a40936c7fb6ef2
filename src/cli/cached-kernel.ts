import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.js'
import { openContentStore } from '../store/content-store.js'
import { openKernelIndex } from '../kernels/kernel-index.js'
import { formatReference, isWholeReference, type KernelQuery } from '../identity/reference.js'
import { resolveKernel, resolveModules } from '../kernels/resolve.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import type { NamedBtf, Places, TargetBtf } from './target-request.js'

/**
 * A bare release that the running kernel has may be that of another kernel in the cache as well.
 *
 * @throws AppError `kernel_ambiguous`
 */
export async function requireSameInCache (query: KernelQuery, target: TargetBtf, places: Places): Promise<void> {
  let cached: Sha256
  try {
    cached = (await resolveCached(query, places)).btfSha256
  } catch (error) {
    if (error instanceof AppError && error.code === 'kernel_unknown') return
    throw error
  }
  if (cached !== sha256(target.vmlinux.bytes)) {
    throw new AppError('kernel_ambiguous',
      `Release ${query.release} is that of the running kernel and of another one in ${places.cacheDir}, whose BTF is different; ` +
      `name the whole reference (the running kernel is ${target.kernel}).`,
      { kernel: query.release })
  }
}

/**
 * The BTF of a kernel that the service has put into its cache.
 *
 * @throws AppError `kernel_unknown`, `kernel_ambiguous`, `btf_unknown`
 */
export async function readCached (query: KernelQuery, moduleNames: readonly string[], places: Places): Promise<TargetBtf> {
  const kernel = await resolveCached(query, places)
  const modules = resolveModules(kernel, moduleNames, places)
  const store = openContentStore({ directory: places.cacheDir })
  try {
    const read = async (hash: Sha256, name: string): Promise<NamedBtf> => {
      const bytes = await store.read('btf', hash)
      if (bytes === undefined) {
        throw new AppError('btf_unknown',
          `${places.cacheDir} lists ${name}, but does not hold its BTF (any more); ` +
          'ask the service for it again, or give it with --btf FILE.',
          { btf_sha256: hash })
      }
      return { name, bytes }
    }
    return {
      kernel: kernel.name,
      source: kernel.records[0].source,
      buildId: kernel.records[0].buildId,
      vmlinux: await read(kernel.btfSha256, kernel.name),
      modules: await Promise.all(modules.map(module => read(module.btfSha256, `module ${module.name} of ${kernel.name}`)))
    }
  } finally {
    await store.close()
  }
}

async function resolveCached (query: KernelQuery, places: Places): Promise<ReturnType<typeof resolveKernel>> {
  const name = isWholeReference(query) ? formatReference(query) : query.release
  const unknown = (hint: string): AppError => new AppError('kernel_unknown',
    `No BTF is known for kernel ${name}: it is not the running kernel, and ${hint} Give its BTF with --btf FILE.`)
  // Opening would make the folder, which a command that only reads must not.
  if (!existsSync(join(places.cacheDir, 'index'))) throw unknown(`there is no cache in ${places.cacheDir} (--cache-dir, CORELO_CACHE_DIR).`)
  const index = await openKernelIndex({ directory: places.cacheDir })
  try {
    return resolveKernel(index, query, places)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'kernel_unknown') throw error
    const { nearest } = error.details
    const held = Array.isArray(nearest) && nearest.length > 0 ? `; the nearest held are ${nearest.join(', ')}` : ''
    throw unknown(`the cache in ${places.cacheDir} does not have it${held}.`)
  } finally {
    await index.close()
  }
}
