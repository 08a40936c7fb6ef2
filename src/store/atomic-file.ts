import { randomBytes } from 'node:crypto'
import { rename, writeFile } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { errorCode } from './error-code.js'
import { makeFolder } from './folder.js'
import { withOpenFile } from './open-files.js'

// Those of node:fs/promises make a FileHandle for every file, which costs the event loop more than the calls themselves.
const writeWhole = promisify(writeFile)
const renameTo = promisify(rename)

/**
 * Writes a file so that a reader, or a process that is killed at any moment, sees the old content, the new one, or none, and
 * flushes it to the disk before it takes its name, and its folder after. Makes the folders it needs, also when someone has just
 * removed them.
 *
 * @throws the error of the file system (ENOSPC, EROFS, EACCES)
 */
export async function writeDurably (path: string, data: Uint8Array | string): Promise<void> {
  await withFolder(path, async () => {
    await writeAndName(path, data, true)
    await withOpenFile(() => flushFolder(dirname(path)))
  })
}

/**
 * The same, but for when it reaches the disk: after a power failure the file may be gone, empty or with zeros in it. For what proves by
 * itself that it is whole, and can be made again.
 *
 * @throws the error of the file system (ENOSPC, EROFS, EACCES)
 */
export async function writeAtomically (path: string, data: Uint8Array | string): Promise<void> {
  await withFolder(path, () => writeAndName(path, data, false))
}

async function writeAndName (path: string, data: Uint8Array | string, flush: boolean): Promise<void> {
  // Random, so that no other process has the name: process ids repeat among containers that share a volume.
  const temporary = `${path}.${randomBytes(9).toString('base64url')}`
  try {
    await withOpenFile(() => writeWhole(temporary, data, { flag: 'wx', mode: 0o644, flush }))
    await renameTo(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {}) // the sweep finds it later
    throw error
  }
}

/** After a power failure a new name is there for certain only once its folder was flushed too. Some file systems cannot do that. */
async function flushFolder (folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM'].includes(errorCode(error) ?? '')) throw error
  } finally {
    await handle.close()
  }
}

/** A folder may be deleted again between its making and the write, by whoever deletes the whole cache just now. */
const FOLDER_ATTEMPTS = 4

async function withFolder (path: string, write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (attempt > 1) await makeFolder(dirname(path))
      return await write()
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || attempt === FOLDER_ATTEMPTS) throw error
    }
  }
}
