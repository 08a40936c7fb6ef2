import { readFile, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** As many links as Linux follows in one path (MAXSYMLINKS). */
const MAX_LINKS = 40
/** A hundred times what the longest os-release has. In bytes. */
const MAX_BYTES = 256 * 1024

/**
 * Reads a file of another system whose root is mounted at `root`, as that system would: an absolute link, and one that climbs out,
 * lead back below that root and never into our own file system.
 *
 * @param path below the root
 * @returns undefined where there is no such file, or it cannot be read or is larger than 256 KiB
 */
export async function readBelowRoot (root: string, path: string): Promise<string | undefined> {
  const found = await resolveBelow(root, path)
  if (found === undefined) return undefined
  const { size, isFile } = await stat(found).then(file => ({ size: file.size, isFile: file.isFile() }), () => ({ size: 0, isFile: false }))
  if (!isFile || size > MAX_BYTES) return undefined
  return await readFile(found, 'utf8').catch(() => undefined)
}

/** Walks a path part by part, since the system's own resolution would follow absolute links from our root. */
async function resolveBelow (root: string, path: string): Promise<string | undefined> {
  const walked: string[] = []
  const ahead = partsOf(path)
  let links = 0
  for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
    if (part === '..') {
      walked.pop() // above a root is the root
      continue
    }
    const target = await readlink(join(root, ...walked, part)).catch(() => undefined)
    if (target === undefined) {
      walked.push(part)
      continue
    }
    if (++links > MAX_LINKS) return undefined
    if (target.startsWith('/')) walked.length = 0
    ahead.unshift(...partsOf(target))
  }
  return join(root, ...walked)
}

function partsOf (path: string): string[] { return path.split('/').filter(part => part !== '' && part !== '.') }
