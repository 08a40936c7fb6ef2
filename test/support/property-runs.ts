/**
 * Settings of a fast-check run. `npm test` takes the same cases each time, so that a failure tells of the change and not of chance.
 * `CORELO_RUNS` multiplies the number of cases and takes new ones; `CORELO_SEED` repeats a run that failed.
 */
export function runs (numRuns = 300): { numRuns: number, seed?: number } {
  const { CORELO_RUNS: times, CORELO_SEED: seed = times === undefined ? '1' : undefined } = process.env
  return { numRuns: Math.ceil(numRuns * Number(times ?? 1)), ...(seed === undefined ? {} : { seed: Number(seed) }) }
}
