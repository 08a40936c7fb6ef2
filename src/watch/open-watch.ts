import { join } from 'node:path'
import type { ServiceSettings, Warn } from '../settings.js'
import { openListed } from './listed.js'
import { openPending } from './pending.js'
import { createWatch, type Watch, type WatchOptions } from './watch.js'
import { createWebhook } from './webhook.js'

/** The watch that the settings ask for, with what it knew when the service last ran; undefined for none. */
export async function openWatch ({ watching, cacheDir, network }: ServiceSettings, warn: Warn, parts: Pick<WatchOptions, 'catalog' | 'fetch' | 'findHeld' | 'publishedOf'>): Promise<Watch | undefined> {
  if (watching === undefined) return undefined
  const { patterns, newest, webhook } = watching
  const folder = join(cacheDir, 'watch')
  const listed = await openListed({ path: join(folder, 'listed'), warn })
  const pending = await openPending({ path: join(folder, 'pending'), warn })
  return createWatch({ ...parts, patterns, newest, listed, pending, warn, webhook: webhook === undefined ? undefined : createWebhook({ ...webhook, network, pending, warn }) })
}
