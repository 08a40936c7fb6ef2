import type { PublicKey, Signature } from 'openpgp'
import { AppError } from '../errors.js'

/** The keys that may sign for a repository. */
export interface Keyring {
  readonly keys: readonly PublicKey[]
  /** Where they are from, for messages. */
  readonly what: string
}

/**
 * The one importer of openpgp, which is loaded when it is first needed: it takes 50 ms. One library everywhere, rather than gpgv where that
 * is installed, so that what is accepted does not depend on the image. The repositories of the tests are signed by gpg. Old keys of
 * distributions have signatures of themselves by SHA-1, which the library refuses by default; here a key is trusted because its fingerprint
 * is pinned or its file was configured, not for what it says of itself.
 */
const load = async () => await import('openpgp')

/**
 * Reads public keys: armored or binary, one or many.
 *
 * @param fingerprints where given, only these (upper-case hex, of primary keys) are taken
 * @throws AppError `invalid_request` where there is none
 */
export async function readKeyring (bytes: Uint8Array, what: string, fingerprints?: readonly string[]): Promise<Keyring> {
  const { readKeys } = await load()
  const text = Buffer.from(bytes).toString('latin1')
  const blocks = text.match(/-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g)
  let keys: PublicKey[]
  try {
    const read = blocks === null
      ? [await readKeys({ binaryKeys: Uint8Array.from(bytes) })]
      : await Promise.all(blocks.map(block => readKeys({ armoredKeys: block })))
    keys = read.flat().map(key => key.toPublic())
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError('invalid_request', `The keys in ${what} cannot be read as OpenPGP: ${reason}.`)
  }
  const pinned = fingerprints === undefined ? keys : keys.filter(key => fingerprints.includes(key.getFingerprint().toUpperCase()))
  if (pinned.length === 0) {
    const which = fingerprints === undefined ? '' : ' with a fingerprint that is pinned'
    throw new AppError('invalid_request', `${what} has no OpenPGP key${which}.`)
  }
  return { keys: pinned, what }
}

/**
 * The text of InRelease whose signature is good. Nothing around it is returned: only what was signed may be read.
 *
 * @throws AppError `source_invalid`
 */
export async function verifyCleartext (armored: string, keyring: Keyring): Promise<string> {
  const { readCleartextMessage, verify } = await load()
  const message = await readCleartextMessage({ cleartextMessage: armored }).catch(unreadable)
  const { data, signatures } = await verify({ message, verificationKeys: [...keyring.keys], config: await config() })
  await requireOne(signatures, keyring)
  return data
}

/**
 * Checks a signature that lies beside what it signs, armored or binary.
 *
 * @throws AppError `source_invalid`
 */
export async function verifyDetached (bytes: Uint8Array, signature: Uint8Array, keyring: Keyring): Promise<void> {
  const { createMessage, readSignature, verify } = await load()
  const isArmored = Buffer.from(signature.subarray(0, 10)).toString('latin1') === '-----BEGIN'
  const read: Promise<Signature> = isArmored
    ? readSignature({ armoredSignature: Buffer.from(signature).toString('latin1') })
    : readSignature({ binarySignature: Uint8Array.from(signature) })
  const message = await createMessage({ binary: Uint8Array.from(bytes) })
  const { signatures } = await verify({
    message,
    signature: await read.catch(unreadable),
    verificationKeys: [...keyring.keys],
    config: await config()
  })
  await requireOne(signatures, keyring)
}

/**
 * Distributions sign by SHA-256 and better; their keys' own signatures are older. Some older keys have 1024 bits: the pinned ones have been
 * looked at.
 */
async function config () {
  const { enums } = await load()
  return {
    minRSABits: 2048,
    rejectHashAlgorithms: new Set([enums.hash.md5, enums.hash.ripemd]),
    rejectMessageHashAlgorithms: new Set([enums.hash.md5, enums.hash.ripemd, enums.hash.sha1])
  }
}

interface Verification {
  readonly keyID: { toHex: () => string }
  readonly verified: Promise<true>
}

async function requireOne (signatures: readonly Verification[], { what }: Keyring): Promise<void> {
  if (signatures.length === 0) throw new AppError('source_invalid', 'The file has no signature.')
  const reasons: string[] = []
  for (const { keyID, verified } of signatures) {
    try {
      await verified
      return
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const why = reason.startsWith('Could not find signing key') ? `not one of the keys in ${what}` : reason
      reasons.push(`${keyID.toHex().toUpperCase()}: ${why}`)
    }
  }
  throw new AppError('source_invalid', `No signature is valid (${reasons.join('; ')}).`)
}

function unreadable (error: unknown): never {
  throw new AppError('source_invalid', `The signature cannot be read (${error instanceof Error ? error.message : String(error)}).`)
}
