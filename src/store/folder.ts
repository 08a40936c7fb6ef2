import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { errorCode } from './error-code.js'

/**
 * Makes a folder and those above it, where they are missing. Node's own recursive mkdir never ends where a parent that is there
 * answers ENOENT, as /proc does.
 *
 * @throws the error of the file system
 */
export async function makeFolder (path: string): Promise<void> {
  const whole = resolve(path)
  try {
    await mkdir(whole)
  } catch (error) {
    const code = errorCode(error)
    const parent = dirname(whole)
    if (await isFolder(whole)) return
    if (code !== 'ENOENT' || parent === whole || await isFolder(parent)) throw error
    await makeFolder(parent)
    await makeFolder(whole)
  }
}

async function isFolder (path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}
