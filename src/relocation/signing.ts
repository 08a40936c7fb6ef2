import { join } from 'node:path'
import { createSigner, type Signer } from '../attestation/sign.js'
import { generateSigningKey, parseSigningKeys } from '../attestation/signing-keys.js'
import { AppError } from '../errors.js'
import { GENERATED_KEY_FILE, openKeyFile, readKeyFiles, type Keys } from '../keys/key-file.js'
import type { ServiceSettings, Warn } from '../settings/service-options.js'

/**
 * Opens the keys that sign results: those of the settings, else the one in the cache folder, made at the first start.
 *
 * @throws AppError `invalid_request` where keys are there that cannot be used: signing with others would be noticed too late
 */
export async function openSigner (
  { signingKeyFile, cacheDir }: Pick<ServiceSettings, 'signingKeyFile' | 'cacheDir'>, warn: Warn
): Promise<Signer> {
  const onExposed = (path: string): void => { warn('a file of signing keys can be read by others than its owner', { path }) }
  const keys = signingKeyFile === undefined
    ? await openGenerated(join(cacheDir, GENERATED_KEY_FILE), warn, onExposed)
    : await readKeyFiles(signingKeyFile.split(','), onExposed)
  const signer = createSigner(keys)
  requireCurrent(signer)
  return signer
}

async function openGenerated (path: string, warn: Warn, onExposed: (path: string) => void): Promise<Keys> {
  try {
    return await openKeyFile(path, onExposed)
  } catch (error) {
    if (error instanceof AppError) throw error
    warn('no signing key can be kept in the cache folder; attestations are signed with one that ends with this process',
      { path, err: error })
    return parseSigningKeys(generateSigningKey())
  }
}

/** Found at the start, not at the first result. */
function requireCurrent (signer: Signer): void {
  try {
    signer.keyId()
  } catch (error) {
    throw new AppError('invalid_request', error instanceof Error ? error.message : String(error), {}, { cause: error })
  }
}
