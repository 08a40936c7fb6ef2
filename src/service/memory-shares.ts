/** Of the memory budget. Most of it is kernels' BTF; objects and results are small, and can be had again. */
const SHARES = { btf: 11 / 16, objects: 1 / 8, results: 3 / 32, kept: 1 / 32, checks: 1 / 32, vectors: 1 / 32 } as const

/**
 * Large memory that was let go of after which threads are asked to collect it: a part of the memory budget, and at least so many
 * bytes. Bounds what is resident beyond the budget; a collection takes all threads up to 100 ms.
 */
const COLLECT_SHARE = 1 / 16
const MIN_COLLECT_AFTER = 64 * 1024 * 1024
/** The same once nothing has been let go of for COLLECT_IDLE_MS. Below it a collection is not worth its time. */
const COLLECT_IDLE_AFTER = 4 * 1024 * 1024
const COLLECT_IDLE_MS = 1000

/** The memory budget in bytes, by what has it. */
export type MemoryShares = Readonly<Record<keyof typeof SHARES, number>>

export function shareMemory (memoryBytes: number): MemoryShares {
  const share = (part: number): number => Math.max(1, Math.floor(memoryBytes * part))
  return {
    btf: share(SHARES.btf),
    objects: share(SHARES.objects),
    results: share(SHARES.results),
    kept: share(SHARES.kept),
    checks: share(SHARES.checks),
    vectors: share(SHARES.vectors)
  }
}

/**
 * Counts large memory that is let go of, in bytes, and calls `collect` when it is too much of the budget, or some of it and then no
 * more for a while.
 */
export function countReleases (memoryBytes: number, collect: () => void): (bytes: number) => void {
  const limit = Math.max(MIN_COLLECT_AFTER, Math.floor(memoryBytes * COLLECT_SHARE))
  let released = 0
  let timer: NodeJS.Timeout | undefined
  const run = (): void => {
    clearTimeout(timer)
    timer = undefined
    released = 0
    collect()
  }
  return bytes => {
    released += bytes
    if (released >= limit) setImmediate(run)
    else if (timer !== undefined) timer.refresh()
    else if (released >= COLLECT_IDLE_AFTER) timer = setTimeout(run, COLLECT_IDLE_MS).unref()
  }
}
