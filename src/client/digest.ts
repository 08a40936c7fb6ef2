import { hash } from 'node:crypto'
import { answerError } from './problem.js'

/**
 * Checks content against its Content-Digest field. An answer without the field passes: the service sends it with all that
 * it keeps by content, and what must not be altered is signed besides.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9530
 * @throws AppError `source_invalid`
 */
export function requireDigest (header: string | null, body: Uint8Array, server: string): void {
  if (header === null) return
  const [, expected] = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]*={0,2}):/.exec(header) ?? []
  if (expected === undefined) return
  if (hash('sha256', body, 'base64') !== expected) {
    throw answerError(server, `What arrived from ${server} is not what was sent: its digest is another. ` +
      'Something on the way damages or alters answers.')
  }
}
