/** What bounds a request to an origin. Times are in milliseconds. */
export interface FetchLimits {
  readonly connectMs: number
  /** From the request to the last header of the answer. */
  readonly headersMs: number
  /** In any `stallMs` of an answer's body at least `stallBytes` have to arrive. */
  readonly stallMs: number
  readonly stallBytes: number
  /** All tries and redirects together. */
  readonly totalMs: number
  /** Tries of one request, where what went wrong may pass. */
  readonly tries: number
  /**
   * The wait before a further try is random, up to this much, doubled with each; and at most `retryMaxMs`, also where the origin
   * asks for more.
   */
  readonly retryMinMs: number
  readonly retryMaxMs: number
  readonly redirects: number
  /** Connections to one origin. */
  readonly connections: number
  /** An origin of which half of at least `breakerCalls` answers within `breakerWindowMs` failed is left alone for `breakerOpenMs`. */
  readonly breakerCalls: number
  readonly breakerWindowMs: number
  readonly breakerOpenMs: number
}

export const FETCH_LIMITS: FetchLimits = {
  connectMs: 5_000,
  headersMs: 10_000,
  stallMs: 30_000,
  stallBytes: 100 * 1024,
  totalMs: 60_000,
  tries: 3,
  retryMinMs: 100,
  retryMaxMs: 2_000,
  redirects: 5,
  connections: 6,
  breakerCalls: 10,
  breakerWindowMs: 30_000,
  breakerOpenMs: 30_000
}
