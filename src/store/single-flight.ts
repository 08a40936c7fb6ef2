/** Runs equal work once: whoever asks for a key while it is worked on gets the same promise. */
export interface SingleFlight<T> {
  run(key: string, work: () => Promise<T>): Promise<T>
  /** Keys being worked on. */
  readonly size: number
}

/**
 * Nothing of any caller goes into the work (no signal, no deadline of its own), so that a caller who leaves takes nothing from
 * those who stay. Failures reach everyone who waits and are then forgotten.
 */
export function createSingleFlight<T> (): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>()
  return {
    run (key, work) {
      const known = flights.get(key)
      if (known !== undefined) return known
      const flight = work()
      flights.set(key, flight)
      const land = (): void => { flights.delete(key) }
      flight.then(land, land)
      return flight
    },
    get size () { return flights.size }
  }
}
