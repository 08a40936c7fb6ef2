import { randomBytes } from 'node:crypto'
import { rename, writeFile } from 'node:fs'
import { mkdir, open, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import writeFileAtomic from 'write-file-atomic'
import { withOpenFile } from './open-files.js'

/**
 * Writes a file so that a reader, or a process that is killed at any moment, sees the old content, the new one, or none, and
 * flushes it to the disk before it takes its name, and its folder after. Makes the folders it needs, also when someone has just removed them.
 *
 * @throws the error of the file system (ENOSPC, EROFS, EACCES)
 */
export async function writeDurably (path: string, data: Uint8Array | string): Promise<void> {
  await withFolder(path, async () => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    await withOpenFile(() => writeFileAtomic(path, bytes, { mode: 0o644 }))
    // A full disk may take a part of it without an error, which the library does not look at.
    const { size } = await stat(path)
    if (size !== bytes.length) {
      await unlink(path)
      throw new Error(`only ${size} of ${bytes.length} bytes were written`)
    }
    await withOpenFile(() => flushFolder(dirname(path)))
  })
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

// Those of node:fs/promises make a FileHandle for every file, which costs the event loop more than the calls themselves.
const writeWhole = promisify(writeFile)
const renameTo = promisify(rename)

/** Random, so that no other process has it: process ids repeat among containers that share a volume. */
const TOKEN = randomBytes(6).toString('base64url')
let serial = 0

/**
 * The same without the flush, in as few system calls as can be: for content that is verified against its hash whenever it is
 * read, so that a lost or torn file costs a repetition and nothing else.
 *
 * @throws the error of the file system
 */
export async function writeQuickly (path: string, data: Uint8Array): Promise<void> {
  const temporary = `${path}.${TOKEN}-${serial++}`
  try {
    await withFolder(path, () => withOpenFile(() => writeWhole(temporary, data, { flag: 'wx', mode: 0o644 })))
    await renameTo(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {}) // the sweep at the next start finds it
    throw error
  }
}

/** The code of a file system error (`ENOENT`), or of any other error that has one. */
export function errorCode (error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** A folder may be deleted again between its making and the write, by whoever deletes the whole cache just now. */
const FOLDER_ATTEMPTS = 4

async function withFolder (path: string, write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || attempt === FOLDER_ATTEMPTS) throw error
      await mkdir(dirname(path), { recursive: true })
    }
  }
}
