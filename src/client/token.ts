import { readFile } from 'node:fs/promises'
import { AppError } from '../errors.js'

/** Longer than any token, shorter than the headers that the service takes. */
const MAX_TOKEN_CHARACTERS = 12 * 1024

/**
 * The value of the Authorization header from a token's file. Read for every request: Kubernetes replaces a projected token
 * some time before it expires.
 *
 * @throws AppError `unauthorized` where the file cannot be read or holds no token
 */
export async function readAuthorization (path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError('unauthorized',
      `The token file ${path} cannot be read (${reason}); mount the token there, or name another file.`,
      { path }, { cause: error })
  })
  const token = text.trim()
  if (token.length > MAX_TOKEN_CHARACTERS || !/^[\x21-\x7e]+$/.test(token)) {
    throw new AppError('unauthorized',
      `The token file ${path} holds no token: it must be one line of printable characters, at most ${MAX_TOKEN_CHARACTERS}.`,
      { path })
  }
  return `Bearer ${token}`
}
