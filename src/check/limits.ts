/** What one check may ask for. A fleet has some tens of objects; the largest archive of kernels lists fifty thousand. */
export interface CheckLimits {
  readonly objects: number
  /** Bytes of all objects that came with the request. */
  readonly objectBytes: number
  /** Patterns, and kernels that are named. */
  readonly patterns: number
  readonly kernels: number
  /** Objects times kernels. */
  readonly rows: number
  /** Of the answer, before any compression. */
  readonly answerBytes: number
  /** Milliseconds from the first row to the last. */
  readonly timeMs: number
  /** Checks at a time, of one caller and of all. */
  readonly atOnceOfCaller: number
  readonly atOnce: number
  /** Kernels that are fetched for one check. */
  readonly fetches: number
  /** Milliseconds that are waited for each of them. */
  readonly fetchMs: number
}

export const CHECK_LIMITS: CheckLimits = {
  objects: 128,
  objectBytes: 64 * 1024 * 1024,
  patterns: 20_000,
  kernels: 50_000,
  rows: 500_000,
  answerBytes: 256 * 1024 * 1024,
  timeMs: 15 * 60_000,
  atOnceOfCaller: 4,
  atOnce: 12,
  fetches: 32,
  fetchMs: 60_000
}
