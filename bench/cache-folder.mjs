import { copyFileSync, cpSync, linkSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatReference } from '../dist/identity/reference.js'
import { openKernelIndex } from '../dist/kernels/kernel-index.js'
import { openContentStore } from '../dist/store/content-store.js'

/**
 * Puts the kernels of a service's cache folder into another one: their rows, BTF and layout tables, and nothing of what was found out about
 * objects. Files are linked where they can be; a service replaces and never changes them.
 *
 * @param makeTables has a service make the layout tables that are missing, as it does where it takes kernels in
 * @returns how many kernels there are, their files of BTF, the bytes of BTF and tables that they have, and the first of them
 */
export async function copyFleet (from, to, makeTables) {
  cpSync(join(from, 'index'), join(to, 'index'), { recursive: true })
  const index = await openKernelIndex({ directory: to })
  const kernels = index.list()
  await index.close()
  if (kernels.length === 0) throw new Error(`${from} has no kernels; is it the cache folder of a service?`)
  const [source, target] = [from, to].map(directory => openContentStore({ directory }))
  const hashes = [...new Set(kernels.map(({ btfSha256 }) => btfSha256))]
  const lost = hashes.filter(hash => !link(source.pathOf('btf', hash), target.pathOf('btf', hash)))
  if (lost.length > 0) throw new Error(`${from} lacks the BTF of ${lost.length} of ${hashes.length} kernels, that of ${lost[0]} among them`)
  for (const hash of hashes) link(source.pathOf('layout', hash), target.pathOf('layout', hash))
  const pathsOf = kind => hashes.map(hash => target.pathOf(kind, hash))
  await Promise.all([source.close(), target.close()])
  await makeTables()
  rmSync(join(to, 'content', 'result'), { recursive: true, force: true })
  return {
    kernels: kernels.length,
    files: pathsOf('btf'),
    bytes: { btf: bytesOf(pathsOf('btf')), tables: bytesOf(pathsOf('layout')) },
    kernel: formatReference(kernels[0].reference)
  }
}

/** Whether the file is there. */
function link (from, to) {
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, to)
  } catch (error) {
    if (error.code === 'ENOENT') return false
    copyFileSync(from, to) // on another disk
  }
  return true
}

function bytesOf (paths) { return paths.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0) }
