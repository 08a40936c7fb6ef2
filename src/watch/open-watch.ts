import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceSettings, Warn } from '../settings/service-options.js'
import type { SharedBucket } from '../store/shared/shared-bucket.js'
import type { KeptElsewhere } from './kept-file.js'
import { createListed, type ListedOptions } from './listed.js'
import { openPending } from './pending.js'
import { createWatch, type Watch, type WatchOptions } from './watch.js'
import { createWebhook } from './webhook.js'

export interface OpenWatchOptions extends Pick<WatchOptions, 'catalog' | 'fetch' | 'findHeld' | 'publishedOf' | 'warn'> {
  /** What replicas share. One that is new there takes from it what the others know. */
  readonly bucket: SharedBucket | undefined
}

/** The watch that the settings ask for, with what it knew when the service last ran; undefined for none. */
export async function openWatch (
  { watching, cacheDir, network }: ServiceSettings,
  { bucket, ...parts }: OpenWatchOptions
): Promise<Watch | undefined> {
  if (watching === undefined) return undefined
  const { warn } = parts
  const { patterns, newest } = watching
  const folder = join(cacheDir, 'watch')
  const kept = (name: string): ListedOptions => ({
    path: join(folder, name),
    elsewhere: bucket === undefined ? undefined : inBucket(bucket, `watch/${name}`, warn),
    warn
  })
  const listed = createListed(kept('listed'))
  const pending = await openPending(kept('pending'))
  const webhook = watching.webhook === undefined ? undefined : createWebhook({ ...watching.webhook, network, pending, warn })
  return createWatch({ ...parts, patterns, newest, listed, pending, webhook })
}

/** 200,000 names have some 12 MB. */
const MOST_BYTES = 64 * 1024 * 1024
/**
 * How often the bucket is asked where it does not answer, and the pause between, in milliseconds. Nobody waits for it but the first
 * look.
 */
const TRIES = 30
const PAUSE_MS = 2000

function inBucket (bucket: SharedBucket, key: string, warn: Warn): KeptElsewhere {
  return {
    async read (signal) {
      for (let tries = 1; tries <= TRIES && signal?.aborted !== true; tries++) {
        const answer = await bucket.get(key, MOST_BYTES)
        if (answer?.state === 'done') return Buffer.from(answer.value.bytes).toString()
        if (answer?.state === 'absent') return undefined
        await sleep(PAUSE_MS, undefined, { signal, ref: false }).catch(() => {}) // the service ends
      }
      if (signal?.aborted !== true) {
        warn('What replicas know of new kernels cannot be had from the shared store; what is listed now counts as known.', {})
      }
      return undefined
    },
    write (text) { bucket.behind(() => bucket.put(key, Buffer.from(text))).catch(() => {}) } // it is written again with the next change
  }
}
