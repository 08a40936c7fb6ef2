import { parseJwks, type TrustedKey } from '../../attestation/jwk.js'
import { AppError } from '../../errors.js'
import { readKeyFiles, type Keys } from '../../keys/key-file.js'
import { wayFailure } from '../../network/failure.js'
import { openFetch } from '../../network/fetch.js'
import { readNetwork } from '../../settings/network-settings.js'
import { usageError, type CommandSpec } from '../arguments.js'
import { readInput } from '../files.js'

/** Where a service publishes its keys. */
const WELL_KNOWN = '/.well-known/corelo-keys.json'
const TIMEOUT_MS = 10_000

/** The address of the keys of a service. */
export function keysOf (server: string): string { return `${server.replace(/\/+$/, '')}${WELL_KNOWN}` }

/**
 * Public keys of a JWKS, from a file or an address.
 *
 * @throws AppError `not_found` where it cannot be had, or is none
 */
export async function readPublicKeys (source: string): Promise<readonly TrustedKey[]> {
  const text = isAddress(source) ? await download(source) : Buffer.from(readInput(source, 'JWKS')).toString()
  return await asInput(source, () => parseJwks(text))
}

/**
 * The signing keys of a file.
 *
 * @throws AppError `not_found`
 */
export async function readSigningKeys (path: string): Promise<Keys> { return await asInput(path, async () => await readKeyFiles([path])) }

/** @throws AppError `invalid_request` */
export function parseTime (spec: CommandSpec, option: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const time = new Date(text)
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(time.getTime())) {
    throw usageError(spec, `Option --${option} takes a time, such as 2027-01-31 or 2027-01-31T00:00:00Z, not "${text}".`)
  }
  return time
}

function isAddress (source: string): boolean { return /^https?:\/\//.test(source) }

async function download (url: string): Promise<string> {
  try {
    const fetch = await openFetch(readNetwork(process.env))
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: 'application/json' } })
    if (!response.ok) throw new Error(`the answer has status ${response.status}`)
    return await response.text()
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error))
    const reason = wayFailure(error) ?? (cause instanceof Error ? cause.message : message)
    throw new AppError('not_found', `The keys at ${url} cannot be had: ${reason}.`, {}, { cause: error })
  }
}

/** What is wrong with a file is no wrong use of the command. */
async function asInput<T> (source: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError('not_found', error.message.includes(source) ? error.message : `${source}: ${error.message}`, {}, { cause: error })
  }
}
