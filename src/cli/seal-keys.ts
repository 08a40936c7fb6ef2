import { sealKeyOf } from '../attestation/signing-keys.js'
import { readKeyFiles } from '../keys/key-file.js'
import type { SealKeys } from '../store/seal.js'
import { signingKeyFiles } from './signing-key-files.js'

/**
 * The secrets with which a service with the same settings seals the indexes of kernels, by which little of a kernel has to be read. None
 * where they are another user's, or where no service has been there: a command makes no key that nobody asked for.
 *
 * @param cacheDir in the place of the one of the settings
 */
export async function readSealKeys (cacheDir?: string): Promise<SealKeys> {
  try {
    return (await readKeyFiles(signingKeyFiles(process.env, cacheDir))).map(({ privateKey }) => sealKeyOf(privateKey))
  } catch {
    return []
  }
}
