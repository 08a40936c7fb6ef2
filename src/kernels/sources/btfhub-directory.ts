import { access, constants, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { errorCode } from '../atomic-file.js'
import { archivePlaces } from '../identity/archive-places.js'
import { formatReference, isSegment } from '../reference.js'
import { ARCHIVE_SUFFIX } from './btfhub-http.js'
import { openOrRefuse } from './open.js'
import { placeCandidates } from './place-candidates.js'
import { gravest, type KernelSource, type OpenKernel, type Refusal } from './source.js'

export interface BtfhubDirectoryOptions {
  readonly root: string
  readonly open: OpenKernel
}

/** A directory in BTFHub's layout: a clone of the archive, or one's own kernels. Files may be packed, or raw `<release>.btf`. */
export function createDirectorySource ({ root, open }: BtfhubDirectoryOptions): KernelSource {
  return {
    name: 'directory',
    candidates: placeCandidates,
    async fetch (reference, { held }) {
      const refusals: Refusal[] = []
      const places = archivePlaces(reference).filter(({ path }) => path.split('/').every(isSegment))
      for (const path of places.flatMap(({ path }) => [path, path.replace(/\.tar\.xz$/, '')])) {
        const file = join(root, path)
        const version = await versionOf(file)
        if (typeof version !== 'string') {
          refusals.push(version)
          continue
        }
        if (held?.url === file && held.etag === version) return { state: 'unchanged' }
        const isArchive = path.endsWith(ARCHIVE_SUFFIX)
        const names = [posix.basename(path, isArchive ? ARCHIVE_SUFFIX : '.btf'), reference.release]
        const opened = await openOrRefuse(open, { path: file }, { names, isArchive }, file)
        if (opened.state === 'opened') return { state: 'found', reference, btf: opened.btf, modules: opened.modules, url: file, etag: version }
        refusals.push(opened)
      }
      if (refusals.every(({ state }) => state === 'absent') && refusals.length > 0) return { state: 'absent', answer: `has no ${places.map(({ path }) => path).join(' and no ')}` }
      return gravest(refusals) ?? { state: 'absent', answer: `not looked: no directory can be named for ${formatReference(reference)}` }
    }
  }
}

/** A name for the present content of a file, or why there is none. */
async function versionOf (file: string): Promise<string | Refusal> {
  try {
    const { mtimeMs, size, ino } = await stat(file)
    await access(file, constants.R_OK)
    return `${ino}-${size}-${mtimeMs}`
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'absent', answer: `${file} is not there` }
    return { state: code === 'EACCES' ? 'denied' : 'failed', answer: `${file} cannot be read (${code ?? 'unknown error'})` }
  }
}
