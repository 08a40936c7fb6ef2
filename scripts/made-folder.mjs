// A folder below dist/ that is made of other files, and made anew only where one of these has changed.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What decides which versions of packages are used. */
const PACKAGES = ['package.json', 'package-lock.json', 'scripts/made-folder.mjs']

/**
 * Makes dist/`name` with `make`, which is given an empty folder to fill. `sources`: the files and folders that it is made of.
 * The folder is never there half written; for a moment, between two renames, there is none.
 */
export async function makeFolder ({ name, sources, make }) {
  const out = join(ROOT, 'dist', name)
  const stamp = join(ROOT, `dist/.${name}.stamp`)
  const wanted = digestOf([...sources, ...PACKAGES])
  if (existsSync(out) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  const made = join(ROOT, `dist/.${name}-${process.pid}`)
  const old = `${made}-old`
  mkdirSync(made, { recursive: true })
  try {
    await make(made)
    if (existsSync(out)) renameSync(out, old)
    renameSync(made, out)
    writeFileSync(stamp, wanted)
  } finally {
    for (const folder of [made, old]) rmSync(folder, { recursive: true, force: true })
  }
}

function digestOf (sources) {
  const hash = createHash('sha256')
  for (const path of sources.flatMap(filesOf)) {
    const bytes = readFileSync(join(ROOT, path))
    hash.update(`${path} ${bytes.length}\n`).update(bytes)
  }
  return hash.digest('hex')
}

/** A file, or the files in a folder: paths from the root, in an order that is always the same. */
function filesOf (path) {
  if (statSync(join(ROOT, path)).isFile()) return [path]
  return readdirSync(join(ROOT, path), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)))
    .toSorted()
}
