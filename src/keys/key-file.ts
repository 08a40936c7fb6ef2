import { randomBytes } from 'node:crypto'
import { chmod, link, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateSigningKey, parseSigningKeys, type SigningKey } from '../attestation/signing-keys.js'
import { AppError } from '../errors.js'
import { errorCode } from '../store/error-code.js'
import { makeFolder } from '../store/folder.js'

/** Where the key of an installation is that was given none. In the cache folder, so that replicas that share it share the key. */
export const GENERATED_KEY_FILE = 'signing-key.pem'

/** Larger than any file of keys. In bytes. */
const MAX_FILE_BYTES = 64 * 1024
/** Its owner may read and write it, nobody else anything. */
const PRIVATE_MODE = 0o600
const OTHERS = 0o077

export type Keys = readonly [SigningKey, ...SigningKey[]]

/**
 * Reads the signing keys of one file, or of several in their order: the first key of the first one signs.
 *
 * @param onExposed told of a file that others than its owner can read
 * @throws AppError `invalid_request` whose sentence names the file
 */
export async function readKeyFiles (paths: readonly string[], onExposed: (path: string) => void = () => {}): Promise<Keys> {
  const [first, ...others] = (await Promise.all(paths.map(path => readKeyFile(path, onExposed)))).flat()
  if (first === undefined) throw new AppError('invalid_request', 'No file of signing keys is named.')
  return [first, ...others]
}

async function readKeyFile (path: string, onExposed: (path: string) => void): Promise<Keys> {
  try {
    const { size, mode } = await stat(path)
    if (size > MAX_FILE_BYTES) throw new AppError('too_large', `It has ${size} bytes; at most ${MAX_FILE_BYTES} are read.`)
    if ((mode & OTHERS) !== 0) onExposed(path)
    return parseSigningKeys(await readFile(path, 'utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError('invalid_request', `The signing keys in ${path} cannot be used: ${reason}`, { file: path }, { cause: error })
  }
}

/**
 * The keys of a file, which is made with a new one where there is none. Processes that start at the same moment on one volume
 * get the same key: the file takes its name complete, and only once.
 *
 * @throws AppError `invalid_request` where the file is there and cannot be used; the file system's error where none can be made
 */
export async function openKeyFile (path: string, onExposed?: (path: string) => void): Promise<Keys> {
  try {
    return await readKeyFiles([path], onExposed)
  } catch (error) {
    const code = error instanceof AppError ? errorCode(error.cause) : undefined
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
  }
  await createPrivateFile(path, generateSigningKey())
  return await readKeyFiles([path], onExposed)
}

/** Makes a file that only its owner can read, whole or not at all. A file that is there already stays as it is. */
export async function createPrivateFile (path: string, text: string): Promise<{ created: boolean }> {
  return await withTemporary(path, text, async temporary => {
    try {
      await link(temporary, path)
      return { created: true }
    } catch (error) {
      const code = errorCode(error)
      if (code === 'EEXIST') return { created: false }
      // Some network file systems know no links. Two processes may then both think that theirs is the one; the later one stays.
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error
      if (await stat(path).then(() => true, () => false)) return { created: false }
      await rename(temporary, path)
      return { created: true }
    }
  })
}

/** Replaces a file by another that only its owner can read, whole or not at all. */
export async function replacePrivateFile (path: string, text: string): Promise<void> {
  await withTemporary(path, text, async temporary => { await rename(temporary, path) })
}

async function withTemporary<T> (path: string, text: string, use: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  await makeFolder(dirname(path))
  const file = await open(temporary, 'wx', PRIVATE_MODE)
  try {
    await file.writeFile(text)
    await file.sync()
    await file.close()
    await chmod(temporary, PRIVATE_MODE) // whatever the umask took away
    return await use(temporary)
  } finally {
    await file.close().catch(() => {})
    await unlink(temporary).catch(() => {})
  }
}
