import type { CheckLimits } from '../check/limits.js'
import type { HistoryLimits } from '../kernel-types/limits.js'
import type { FetchLimits } from '../fetch/limits.js'
import type { OutcomeLifetimes } from '../fetch/refusals.js'
import type { Network } from '../network/network.js'
import type { S3Settings } from '../store/shared/s3-settings.js'
import type { ServiceValues } from './service-settings.js'

type Decided = 'cacheDir' | 'memoryBytes' | 'workers' | 'deadlineMs' | 'maxObjectBytes' | 'maxBtfBytes' | 'localKernel' | 'trustUploads'
type Optional = 'cacheBytes' | 'hostRoot' | 'catalog' | 'catalogMs' | 'signingKeyFile' | 'btfhubUrls' | 'btfhubDir' | 'upstreamUrl' |
  'packages' | 'packageDownloads' | 'packageModules'

/** What the service is made with: the settings that are its own, as their table says, and times that tests make short. */
export interface ServiceSettings extends Pick<ServiceValues, Decided>, Partial<Pick<ServiceValues, Optional>> {
  /** Undefined: /sys/kernel/btf. */
  readonly kernelBtfDir?: string
  /** How long to leave a disk alone that takes no writes, in milliseconds. Undefined: 10 s. */
  readonly diskRetryMs?: number
  /** Tasks that may wait for a worker. Undefined: 32 for each worker. */
  readonly queueLimit?: number
  readonly sources?: SourceSettings
  /** What is done about kernels that sources list for the first time. Undefined: nothing. */
  readonly watching?: WatchSettings
  /** Bounds of checks, where they are other than the fixed ones. */
  readonly checks?: Partial<CheckLimits>
  /** The same of histories of types. */
  readonly histories?: Partial<HistoryLimits>
  /** Proxies, and authorities that are believed, for every connection that goes out. Undefined: as Node by itself. */
  readonly network?: Network
  /** What replicas share. */
  readonly sharedStore?: S3Settings
  /**
   * Ages in milliseconds at which what the shared store said of a release is asked for anew: behind the next answer, and before it.
   * Undefined: 5 s and 60 s.
   */
  readonly sharedAges?: { readonly renewMs: number, readonly maxAgeMs: number }
}

/** Times of the sources, in milliseconds. What is left out has its default. */
export interface SourceSettings {
  readonly fetch?: Partial<FetchLimits>
  readonly lifetimes?: Partial<OutcomeLifetimes>
  /** Age at which what was fetched is asked for again in the background. */
  readonly staleMs?: number
  /** Age at which what another service listed of a release is asked for again. */
  readonly forwardedMs?: number
  /** The longest that one question to one source may take, whatever it does. */
  readonly deadlineMs?: number
}

export interface WatchSettings {
  /** Kernels that are fetched ahead, and told of. None: none are fetched, and all are told of. */
  readonly patterns: readonly string[]
  /** Of the new kernels of one look, so many of each distribution, version and architecture are fetched. */
  readonly newest: number
  /** Who is told, and the file with the secrets that sign what is said. */
  readonly webhook?: { readonly url: string, readonly secretFile: string, readonly times?: Partial<WebhookTimes> }
}

/** In milliseconds. */
export interface WebhookTimes {
  /** The longest that an attempt takes. */
  readonly timeoutMs: number
  /** The first wait after a failure, and the longest one. */
  readonly baseMs: number
  readonly maxMs: number
  /** Age of an event at which it is given up. */
  readonly giveUpMs: number
}

export interface ServiceHooks {
  /** Told of what went wrong without failing a request. For the log. */
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
}

export type Warn = NonNullable<ServiceHooks['onWarning']>
