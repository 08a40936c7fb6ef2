/** Settings of a fast-check run. `CORELO_SEED` repeats a run that failed; `CORELO_RUNS` multiplies the number of runs. */
export function runs (numRuns = 300): { numRuns: number, seed?: number } {
  const seed = process.env['CORELO_SEED']
  const times = Number(process.env['CORELO_RUNS'] ?? 1)
  return { numRuns: numRuns * times, ...(seed === undefined ? {} : { seed: Number(seed) }) }
}
