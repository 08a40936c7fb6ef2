import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { AppError } from '../errors.js'

/** Random bytes of a secret, at least and at most. */
const SECRET_BYTES = { least: 24, most: 64 } as const
const MOST_SECRETS = 8

/**
 * The secrets of a file: `whsec_` and base64 of 24 to 64 bytes, a line each. Of several, which there are while one is being replaced,
 * each signs.
 *
 * @throws AppError `invalid_request` that never shows what is in the file
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
 */
export async function readSecrets (path: string): Promise<readonly Buffer[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw wrong(`CORELO_WEBHOOK_SECRET_FILE names ${path}, which cannot be read: ${reason}.`)
  })
  const lines = text.split('\n').map(line => line.trim()).filter(line => line !== '')
  const secrets = lines.map(line => Buffer.from(/^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(line)?.[1] ?? '', 'base64'))
  const isRight = ({ length }: Buffer): boolean => length >= SECRET_BYTES.least && length <= SECRET_BYTES.most
  if (secrets.length === 0 || secrets.length > MOST_SECRETS || !secrets.every(isRight)) {
    throw wrong(`CORELO_WEBHOOK_SECRET_FILE names ${path}, which must have 1 to ${MOST_SECRETS} secrets, a line each: ` +
      `whsec_ and base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} random bytes.`)
  }
  return secrets
}

/**
 * The headers of an attempt to deliver a message, with a signature by each secret.
 *
 * @param seconds since 1970, of this attempt
 */
export function signedHeaders (id: string, seconds: number, body: string, secrets: readonly Buffer[]): Record<string, string> {
  const signatures = secrets.map(secret => `v1,${createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64')}`)
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signatures.join(' ') }
}

function wrong (message: string): AppError { return new AppError('invalid_request', message, { setting: 'CORELO_WEBHOOK_SECRET_FILE' }) }
