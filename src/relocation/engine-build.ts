import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { ENGINE } from './engine.js'

/** The folders whose code decides what a result says, below that of the built sources. */
const FOLDERS = ['bytes', 'elf', 'btf', 'insn', 'core', 'verdict', 'layout', 'report']

/**
 * The engine's version and a digest of its code. Results outlive the process: those that other code made must not be believed, also
 * where the version is the same, as between two builds of one checkout.
 *
 * @throws the error of the file system
 */
export async function engineBuild (): Promise<string> {
  const root = join(import.meta.dirname, '..')
  const entries = await Promise.all(FOLDERS.map(folder => readdir(join(root, folder), { recursive: true, withFileTypes: true })))
  const files = entries.flat().filter(entry => entry.isFile() && IS_CODE.test(entry.name))
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  const digest = createHash('sha256')
  for (const path of paths.sort()) digest.update(`${relative(root, path)}\n`).update(await readFile(path))
  return `${ENGINE.version} ${digest.digest('hex').slice(0, 32)}`
}

const IS_CODE = /(?<!\.d)\.[jt]s$/
