import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AttestedFindings } from '../attestation/findings.js'
import { parseJwks, type TrustedKey } from '../attestation/jwk.js'
import { verifyAttestation, type AskedRelocation } from '../attestation/verify.js'
import type { RelocationAnswer } from '../client/relocation.js'
import { AppError } from '../errors.js'
import { AGENT_SETTINGS } from '../settings/agent-settings.js'
import { invalidSetting } from '../settings/read.js'
import { writeDurably } from '../store/atomic-file.js'

/** Decides whether an answer is believed. */
export interface Trust {
  /**
   * @param at when it came, where it is one that was kept: a key that has ended since was good then. One that was taken from the
   * trusted ones since is not.
   * @returns the key that signed it, and what it signed of the result; undefined where nobody asked
   * @throws AppError `source_invalid` with the `refusal` in its details where it is not believed; where keys are missing, why
   */
  require(result: Attested, asked: AskedRelocation, at?: Date): Promise<Trusted | undefined>
}

export interface Trusted {
  readonly keyId: string
  readonly findings: AttestedFindings
}

/** A relocated object, and what came with it to vouch for it. */
export type Attested = Pick<RelocationAnswer, 'bytes' | 'attestation'>

export interface TrustOptions {
  /** A JWKS file, or an address that serves one. Undefined: the service's own. */
  readonly keys: string | undefined
  /** Where keys from an address are kept, so that they are taken from there once and never again. */
  readonly stateFolder: string
  readonly fetchKeys: (url: string | undefined) => Promise<unknown>
  readonly onFirstContact: (source: string, keyIds: readonly string[]) => void
}

const PINNED = 'keys.json'

/** What to do about each refusal, for the person who reads the log. */
const REMEDIES: Partial<Record<string, string>> = {
  not_signed: 'The service has to sign its results; --insecure-skip-verify takes them unsigned.',
  unknown_key: 'If the service has a new key, add it to the file in --keys.',
  key_expired: 'Rotate the key of the service (corelo keys), and add the new one to the file in --keys.'
}

/** Believes what a key signed that the operator gave, or that the service showed at the first contact. */
export function createTrust ({ keys: source, stateFolder, fetchKeys, onFirstContact }: TrustOptions): Trust {
  const isFile = source !== undefined && !/^https?:\/\//.test(source)
  const pinned = join(stateFolder, PINNED)

  /** A file is read each time: adding the next key to it is how keys are rotated. */
  const readKeys = async (): Promise<readonly TrustedKey[]> => {
    if (isFile) return parseGiven(source, await readFile(source, 'utf8').catch((error: unknown) => { throw cannotRead(source, error) }))
    const known = await readFile(pinned, 'utf8').catch(() => undefined)
    if (known !== undefined) return parseFile(pinned, known)
    const text = JSON.stringify(await fetchKeys(source))
    const keys = source === undefined ? parseFile('the service', text) : parseGiven(source, text)
    await writeDurably(pinned, text)
    onFirstContact(source ?? 'the service itself', keys.map(({ kid }) => kid))
    return keys
  }

  return {
    async require ({ bytes, attestation }, asked, at = new Date()) {
      const verification = verifyAttestation({ envelope: attestation, keys: await readKeys(), result: bytes, asked, now: at })
      if (verification.ok) return { keyId: verification.keyId, findings: verification.facts.findings }
      const remedy = isFile || verification.cause !== 'unknown_key'
        ? REMEDIES[verification.cause]
        : `If the service has a new key, and you know that it does, remove ${pinned}; --keys FILE spares you that.`
      const message = `The result is refused: ${verification.message}${remedy === undefined ? '' : ` ${remedy}`}`
      throw new AppError('source_invalid', message, { kind: 'answer', refusal: verification.cause })
    }
  }
}

/** Takes every answer. For trying things out, where nobody else is on the network. */
export const TRUST_ANYTHING: Trust = { require: async () => undefined }

function parseFile (path: string, text: string): readonly TrustedKey[] {
  try {
    return parseJwks(text)
  } catch (error) {
    throw error instanceof AppError
      ? new AppError('invalid_request', `The keys of ${path} cannot be used: ${error.message}`, error.details, { cause: error })
      : error
  }
}

/** Of keys that the operator named: what is wrong with them is wrong with the setting. */
function parseGiven (source: string, text: string): readonly TrustedKey[] {
  try {
    return parseFile(source, text)
  } catch (error) {
    throw error instanceof AppError ? invalidSetting(AGENT_SETTINGS.keys, error.message) : error
  }
}

function cannotRead (path: string, error: unknown): AppError {
  const reason = error instanceof Error ? error.message : String(error)
  return invalidSetting(AGENT_SETTINGS.keys, `The keys file ${path} cannot be read (${reason}); ` +
    'mount it there, or give another one with --keys.')
}
