import { BrokenCircuitError, circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhenResult, IsolatedCircuitError } from 'cockatiel'

export interface AvailabilityOptions {
  /** A request that costs little, to see whether it works again. */
  readonly probe: () => Promise<{ readonly state: string }>
  readonly onWarning: (message: string, facts: Record<string, unknown>) => void
  readonly onAvailable: () => void
  /** Between two probes of what does not answer, in milliseconds. */
  readonly retryMs: number
}

/** Whether the shared store is there. One failure is enough to leave it alone, so that an outage makes a request wait once at most. */
export interface Availability {
  readonly isOpen: boolean
  /** Undefined, without waiting, where the store is left alone. */
  run<T extends { readonly state: string }>(work: () => Promise<T>): Promise<T | undefined>
  close(): void
}

/**
 * A breaker that probes by itself: what would be the trial request of somebody is made by nobody's, so that no request pays for
 * finding out that the store is still away.
 */
export function createAvailability ({ probe, onWarning, onAvailable, retryMs }: AvailabilityOptions): Availability {
  const isFailure = (result: unknown): boolean => (result as { readonly state: string }).state === 'failed'
  const policy = circuitBreaker(handleWhenResult(isFailure), { halfOpenAfter: retryMs, breaker: new ConsecutiveBreaker(1) })
  let timer: NodeJS.Timeout | undefined
  let isAway = false
  let isClosed = false

  const execute = async <T extends { readonly state: string }>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await policy.execute<T>(work)
    } catch (error) {
      if (error instanceof BrokenCircuitError || error instanceof IsolatedCircuitError) return undefined
      throw error
    }
  }
  const tryAgain = (): void => {
    if (isClosed) return
    clearTimeout(timer)
    timer = setTimeout(() => { execute(probe).catch(() => {}) }, retryMs + 10).unref() // answers are values: it does not reject
  }
  policy.onBreak(reason => {
    if (!isAway) {
      const value = 'value' in reason ? reason.value as { readonly reason?: string } : {}
      onWarning('The shared store does not answer as it should; the service goes on without it, and tries again by itself.',
        { reason: value.reason })
    }
    isAway = true
    tryAgain()
  })
  policy.onReset(() => {
    isAway = false
    onWarning('The shared store answers again.', {})
    onAvailable()
  })

  return {
    get isOpen () { return policy.state === CircuitState.Closed },
    run: async work => policy.state === CircuitState.Closed ? await execute(work) : undefined,
    close () {
      isClosed = true
      clearTimeout(timer)
    }
  }
}
