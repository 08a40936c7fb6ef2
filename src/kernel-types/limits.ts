/** What one history may ask for. */
export interface HistoryLimits {
  readonly patterns: number
  readonly kernels: number
  /** BTFs that are read for one answer. The real kernels of an architecture lay out a type in some tens of ways. */
  readonly reads: number
  /** Milliseconds after which no more are begun to be read. */
  readonly timeMs: number
  /** Histories at a time. */
  readonly atOnce: number
}

export const HISTORY_LIMITS: HistoryLimits = { patterns: 100, kernels: 50_000, reads: 1000, timeMs: 10_000, atOnce: 4 }
