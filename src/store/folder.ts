import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { errorCode } from './error-code.js'

/**
 * Makes a folder and those above it, where they are missing. Node's own recursive mkdir never ends where a parent that is there
 * answers ENOENT, as /proc and /sys do.
 *
 * @throws the error of the file system
 */
export async function makeFolder (path: string): Promise<void> {
  const whole = resolve(path)
  try {
    await makeOne(whole)
  } catch (error) {
    const parent = dirname(whole)
    if (errorCode(error) !== 'ENOENT' || parent === whole) throw error
    await makeFolder(parent)
    await makeOne(whole)
  }
}

async function makeOne (path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (!await isFolder(path)) throw error
  }
}

async function isFolder (path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}
