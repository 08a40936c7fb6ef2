/** What something is done for: for somebody who waits, or ahead of anybody. The first is so from the moment at which somebody comes. */
export interface Errand {
  readonly isAhead: boolean
  /** Calls back once somebody waits for what was begun ahead. */
  onAwaited(listener: () => void): void
}

/**
 * Room for work that takes long. What somebody waits for never waits for what is done ahead, running or not; that begins only where nobody
 * waits and one more may run.
 */
export interface Lanes {
  /** Work that somebody waits for begins in the order in which it came. */
  run<T>(errand: Errand, work: () => Promise<T>): Promise<T>
}

/** One of which somebody can say that it is waited for now. */
export function createErrand (isAhead: boolean): Errand & { await(): void } {
  const listeners = new Set<() => void>()
  return {
    get isAhead () { return isAhead },
    onAwaited (listener) { listeners.add(listener) },
    await () {
      if (!isAhead) return
      isAhead = false
      for (const listen of listeners) listen()
    }
  }
}

interface Ticket {
  readonly errand: Errand
  readonly begin: () => void
}

/**
 * @param most of what somebody waits for runs at once. Where less runs, one less is done ahead, or one; so that up to twice as many run
 * for a while
 */
export function createLanes (most: number): Lanes {
  const running = new Set<Ticket>()
  const waiting: Ticket[] = []
  const mostAhead = Math.max(1, most - 1)

  const mayBegin = ({ errand: { isAhead } }: Ticket): boolean => {
    const ahead = [...running].filter(({ errand }) => errand.isAhead).length
    return isAhead ? running.size < most && ahead < mostAhead : running.size - ahead < most
  }
  const admit = (): void => {
    for (;;) {
      const [next] = [...waiting.filter(({ errand }) => !errand.isAhead), ...waiting]
      if (next === undefined || !mayBegin(next)) return
      waiting.splice(waiting.indexOf(next), 1)
      running.add(next)
      next.begin()
    }
  }
  const enter = async (errand: Errand): Promise<Ticket> => await new Promise(resolve => {
    const ticket = { errand, begin: () => { resolve(ticket) } }
    waiting.push(ticket)
    if (errand.isAhead) errand.onAwaited(admit)
    admit()
  })

  return {
    async run (errand, work) {
      const ticket = await enter(errand)
      try {
        return await work()
      } finally {
        running.delete(ticket)
        admit()
      }
    }
  }
}
