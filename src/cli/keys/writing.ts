import { AppError } from '../../errors.js'

/**
 * Runs what writes a file.
 *
 * @throws AppError `internal_error` whose sentence names the file
 */
export async function writing<T> (path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError('internal_error', `${path} cannot be written: ${reason}.`, {}, { cause: error })
  }
}
