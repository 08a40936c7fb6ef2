import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { AppError } from '../../errors.js'
import { ARCHIVE_SUFFIX } from '../../identity/archive-places.js'
import { isSegment } from '../../identity/reference.js'
import type { Feed } from './feed.js'
import { createPathReader } from './offered-path.js'
import { LISTING_LIMITS } from './parse-listing.js'

/** Folders on the way to a file: distro, version, architecture. */
const LEVELS = 3

/** Files are put into a directory by hand, and looked for soon after. */
const INTERVAL_MS = 600_000

/**
 * The kernels of a directory in BTFHub's layout, packed or raw. Whatever else is in it is passed over: files of a clone,
 * misplaced folders, folders that may not be read. So is a link to a folder of the same directory (`ubuntu/focal`), where
 * the same kernels are listed under their own name.
 */
export function createDirectoryFeed (root: string, source: string): Feed {
  let before: readonly string[] | undefined
  return {
    source,
    what: root,
    intervalMs: INTERVAL_MS,
    restore: async () => undefined,
    async load (signal) {
      const found = new Set<string>()
      const base = await realpath(root).catch((error: unknown) => {
        throw new AppError('source_failed',
          `The directory ${root} cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
      })
      await walk({ root: base, read: createPathReader(), paths: found, signal }, [])
      const paths = [...found].sort()
      const isSame = before?.length === paths.length && paths.every((path, at) => path === before?.[at])
      before = paths
      return isSame ? undefined : paths
    },
    close: async () => {}
  }
}

interface Walk {
  readonly root: string
  readonly read: ReturnType<typeof createPathReader>
  readonly paths: Set<string>
  readonly signal: AbortSignal
}

async function walk (way: Walk, parts: readonly string[]): Promise<void> {
  const { root, read, paths, signal } = way
  signal.throwIfAborted()
  if (paths.size > LISTING_LIMITS.kernels) {
    throw new AppError('source_invalid', `The directory ${root} has more than ${LISTING_LIMITS.kernels} kernels.`)
  }
  const entries = await readdir(join(root, ...parts), { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (entry.name.startsWith('.') || !isSegment(entry.name.replace(ARCHIVE_SUFFIX, ''))) continue
    if (parts.length === LEVELS) {
      const found = [...parts, entry.name].join('/')
      const listed = read(found.endsWith('.btf') ? `${found}.tar.xz` : found)?.path // unpacked ones may lie there as well
      if (listed !== undefined && await isFile(join(root, found), entry)) paths.add(listed)
    } else if (await isFolder(root, join(root, ...parts, entry.name), entry)) {
      await walk(way, [...parts, entry.name])
    }
  }
}

async function isFile (path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile()
  return await stat(path).then(file => file.isFile(), () => false)
}

async function isFolder (root: string, path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  const target = await realpath(path).catch(() => root)
  return target !== root && !target.startsWith(`${root}${sep}`) && await stat(target).then(folder => folder.isDirectory(), () => false)
}
