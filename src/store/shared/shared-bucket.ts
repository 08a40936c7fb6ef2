import { setTimeout as sleep } from 'node:timers/promises'
import type { Network } from '../../network/network.js'
import { hexOf, sha256, type Sha256 } from '../sha256.js'
import { createAvailability } from './availability.js'
import { createS3Client, type ListedKey, type S3Answer, type S3Object } from './s3-client.js'
import type { S3Settings } from './s3-settings.js'
import { createUploadQueue } from './upload-queue.js'

export interface SharedBucketOptions {
  readonly settings: S3Settings
  readonly network?: Network | undefined
  readonly onWarning: (message: string, facts: Record<string, unknown>) => void
  /** Between two looks at a store that does not answer, in milliseconds. */
  readonly retryMs?: number
}

/**
 * A bucket that replicas share. It is never needed: when it does not answer it counts as away, after half a second once, and
 * without waiting from then on until it answers a probe. Nothing here rejects.
 */
export interface SharedBucket {
  /** Undefined where the bucket is away. */
  get(key: string, maxBytes: number): Promise<S3Answer<S3Object> | undefined>
  head(key: string): Promise<S3Answer<number> | undefined>
  list(below: string, maxKeys: number): Promise<S3Answer<{ readonly keys: readonly ListedKey[], readonly isComplete: boolean }> | undefined>
  /** False where it should be tried again. */
  put(key: string, bytes: Uint8Array, hash?: Sha256): Promise<boolean>
  /** Does work behind, a few at a time, and again where it says false. Resolves to whether it was done. */
  behind(run: () => Promise<boolean>): Promise<boolean>
  onAvailable(listener: () => void): void
  /** Something that was got was not what it should be. */
  damaged(): void
  readonly isAvailable: boolean
  stats(): Readonly<Record<string, number>>
  /** @param isBusy whether more work is about to come */
  close(isBusy: () => boolean): Promise<void>
}

const DEFAULT_RETRY_MS = 5000
/** How long what waits may still be written when the service stops. */
const CLOSE_MS = 3000
/** What waits are names of content, not the content: a distribution's kernel has some 6,000 modules. */
const QUEUE_LENGTH = 50_000

export function createSharedBucket ({ settings, network, onWarning: warn, retryMs = DEFAULT_RETRY_MS }: SharedBucketOptions): SharedBucket {
  const client = createS3Client(settings, network)
  const counts = { hits: 0, misses: 0, failures: 0, skipped: 0, damaged: 0, written: 0 }
  const listeners: Array<() => void> = []
  const availability = createAvailability({
    probe: () => client.head('probe'),
    onWarning: warn,
    onAvailable () {
      queue.resume()
      for (const listener of listeners) listener()
    },
    retryMs
  })
  const queue = createUploadQueue({ mayRun: () => availability.isOpen, length: QUEUE_LENGTH })

  const ask = async <T>(question: () => Promise<S3Answer<T>>): Promise<S3Answer<T> | undefined> => {
    const answer = await availability.run(question)
    if (answer === undefined) counts.skipped++
    else if (answer.state === 'failed') counts.failures++
    else if (answer.state === 'absent') counts.misses++
    else counts.hits++
    return answer
  }

  return {
    get: (key, maxBytes) => ask(() => client.get(key, maxBytes)),
    head: key => ask(() => client.head(key)),
    list: (below, maxKeys) => ask(() => client.list(below, maxKeys)),
    async put (key, bytes, hash = sha256(bytes)) {
      const answer = await availability.run(() => client.put(key, bytes, hexOf(hash)))
      if (answer?.state === 'done') counts.written++
      else if (answer?.state === 'failed') counts.failures++
      return answer?.state === 'done'
    },
    behind: run => queue.add({ run }),
    onAvailable (listener) { listeners.push(listener) },
    damaged () { counts.damaged++ },
    get isAvailable () { return availability.isOpen },
    stats: () => ({ ...counts, dropped: queue.dropped, queued: queue.size }),
    async close (isBusy) {
      const until = performance.now() + CLOSE_MS
      while ((queue.size > 0 || isBusy()) && availability.isOpen && performance.now() < until) await sleep(20)
      availability.close()
      await queue.close()
      await client.close()
    }
  }
}
