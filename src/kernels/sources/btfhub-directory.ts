import { access, constants, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { errorCode } from '../../store/error-code.js'
import { archivePlaces, ARCHIVE_SUFFIX } from '../../identity/archive-places.js'
import { openOrRefuse } from './open.js'
import { placeCandidates, searchPlaces, type PlacesOf } from './places.js'
import { gravest, type Refusal } from '../../fetch/refusal.js'
import type { KernelSource, OpenKernel } from './source.js'

export interface BtfhubDirectoryOptions {
  readonly root: string
  readonly open: OpenKernel
  /** Where it may have what a query means. Undefined: where the names prove it. */
  readonly placesOf?: PlacesOf
}

/** A directory in BTFHub's layout: a clone of the archive, or one's own kernels. Files may be packed, or raw `<release>.btf`. */
export function createDirectorySource ({ root, open, placesOf = archivePlaces }: BtfhubDirectoryOptions): KernelSource {
  return {
    name: 'directory',
    candidates: query => placeCandidates(query, placesOf),
    fetch: async (reference, { held }) => await searchPlaces(reference, placesOf, async ({ path }) => {
      const refusals: Refusal[] = []
      for (const name of [path, path.slice(0, -PACKED.length)]) {
        const file = join(root, name)
        const version = await versionOf(file, name)
        if (typeof version !== 'string') {
          refusals.push(version)
          continue
        }
        if (held?.url === name && held.etag === version) return { state: 'unchanged' }
        const names = [posix.basename(path, ARCHIVE_SUFFIX), reference.release]
        const opened = await openOrRefuse(open, { path: file }, { names, isArchive: name.endsWith(PACKED) }, name)
        if (opened.state === 'opened') {
          return { state: 'found', reference, btf: opened.btf, modules: opened.modules, url: name, etag: version }
        }
        refusals.push(opened)
      }
      return gravest(refusals) ?? { state: 'absent', answer: 'has no file' }
    })
  }
}

/** What a packed file's name has behind that of a raw one. */
const PACKED = '.tar.xz'

/** A name for the present content of a file, or why there is none. Callers see its path below the root: `name`. */
async function versionOf (file: string, name: string): Promise<string | Refusal> {
  try {
    const { mtimeMs, size, ino } = await stat(file)
    await access(file, constants.R_OK)
    return `${ino}-${size}-${mtimeMs}`
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'absent', answer: `${name} is not there` }
    return { state: code === 'EACCES' ? 'denied' : 'failed', answer: `${name} cannot be read (${code ?? 'unknown error'})` }
  }
}
