import { join } from 'node:path'
import { GENERATED_KEY_FILE } from '../keys/key-file.js'
import { readSettings, type Environment } from '../settings/read.js'
import { SERVICE_SETTINGS } from '../settings/service-settings.js'

const LOCATIONS = { cacheDir: SERVICE_SETTINGS.cacheDir, signingKeyFile: SERVICE_SETTINGS.signingKeyFile }

/**
 * Where a service with these settings has its keys.
 *
 * @param givenCacheDir in the place of the one of the settings
 */
export function signingKeyFiles (env: Environment, givenCacheDir?: string): string[] {
  const { cacheDir, signingKeyFile } = readSettings(LOCATIONS, env)
  return signingKeyFile?.split(',') ?? [join(givenCacheDir ?? cacheDir, GENERATED_KEY_FILE)]
}
