import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { ENGINE } from './engine.js'

/** What decides what a result says, below the built sources: folders with all that is in them, and files without their extension. */
export const ENGINE_CODE = {
  folders: ['bytes', 'elf', 'btf', 'insn', 'core', 'verdict', 'layout', 'members', 'report', 'wire', 'workers'],
  files: ['limits']
}

/**
 * The engine's version and a digest of its code. Results outlive the process: those that other code made must not be believed, also
 * where the version is the same, as between two builds of one checkout.
 *
 * @param root of the built sources
 * @throws the error of the file system
 */
export async function engineBuild (root = join(import.meta.dirname, '..')): Promise<string> {
  const entries = await Promise.all([
    ...ENGINE_CODE.folders.map(folder => readdir(join(root, folder), { recursive: true, withFileTypes: true })),
    readdir(root, { withFileTypes: true }).then(all => all.filter(({ name }) => ENGINE_CODE.files.includes(name.replace(IS_CODE, ''))))
  ])
  const files = entries.flat().filter(entry => entry.isFile() && IS_CODE.test(entry.name))
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  const digest = createHash('sha256')
  for (const path of paths.sort()) digest.update(`${relative(root, path)}\n`).update(await readFile(path))
  return `${ENGINE.version} ${digest.digest('hex').slice(0, 32)}`
}

/** Of the code that this process runs: as the bundle says, or read once, since files that are replaced meanwhile are not what it runs. */
export function ownEngineBuild (): Promise<string> {
  own ??= (typeof BUNDLED_ENGINE_BUILD === 'string' ? Promise.resolve(BUNDLED_ENGINE_BUILD) : engineBuild()).catch((error: unknown) => {
    own = undefined
    throw error
  })
  return own
}

let own: Promise<string> | undefined

/** What the bundle was made of, where this is part of one: scripts/build-bundle.mjs puts it in. */
declare const BUNDLED_ENGINE_BUILD: string | undefined

const IS_CODE = /(?<!\.d)\.[jt]s$/
