import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../errors.js'
import type { KernelReference } from '../../identity/reference.js'

/** A kernel that is published. */
export interface SyncKernel {
  readonly reference: KernelReference
  readonly isHeld: boolean
  readonly package: string | undefined
  /** Of the package. */
  readonly bytes: number | undefined
}

/** Who fetches kernels ahead, and holds them then: this process into a cache, or a service. */
export interface SyncPlace {
  /** Who offers the kernels, for the message that none is. */
  readonly offeredBy: string
  /** The published kernels that can fit the patterns, and perhaps others. */
  list(patterns: readonly string[]): Promise<readonly SyncKernel[]>
  /**
   * @param onProgress told how far the fetch is, in a few words
   * @throws AppError why the kernel cannot be had
   */
  fetch(reference: KernelReference, onProgress: (how: string) => void): Promise<void>
  close(): Promise<void>
}

/** Longest time for one kernel, in milliseconds. */
const KERNEL_MS = 60 * 60_000
/** A question that came back sooner was not waited for, and is not asked again at once. */
const LEAST_WAIT_MS = 500

/**
 * Asks for a kernel until it was fetched.
 *
 * @param ask one question, which waits for a while
 * @throws AppError what it throws but `fetching`, and that too when the time is over
 */
export async function untilFetched (ask: () => Promise<unknown>, onProgress: (how: string) => void): Promise<void> {
  const end = performance.now() + KERNEL_MS
  for (;;) {
    const asked = performance.now()
    try {
      await ask()
      return
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'fetching' || performance.now() > end) throw error
      const { progress, retry_after: seconds } = error.details
      onProgress(progressOf(progress))
      if (performance.now() - asked < LEAST_WAIT_MS) await sleep(typeof seconds === 'number' ? seconds * 1000 : LEAST_WAIT_MS)
    }
  }
}

/** What the service says of a fetch that is going on. */
function progressOf (progress: unknown): string {
  if (typeof progress !== 'object' || progress === null || !('phase' in progress)) return 'is being fetched'
  if (progress.phase === 'index') return 'reading the indexes'
  if (progress.phase === 'queued') return 'waits for other downloads'
  const [bytes, total] = ['bytes' in progress ? progress.bytes : undefined, 'total' in progress ? progress.total : undefined]
  return typeof bytes === 'number' && typeof total === 'number' && total > 0
    ? `${Math.min(100, Math.floor(100 * bytes / total))} %`
    : 'is being downloaded'
}
