export interface WriteBehindOptions {
  /** Writes that follow each other at once, before the pace is kept. */
  readonly burst?: number
  /** Writes a second after that. */
  readonly perSecond?: number
  /** Most bytes that may wait. */
  readonly maxBytes?: number
}

/**
 * Writes that nobody waits for, one at a time and at a bounded pace. A new file costs more than relocating what is in it, so
 * that a flood of new objects, which would also fill the disk, must not be followed by a flood of files. What finds no room is
 * dropped: it can be had again from whoever sent it.
 */
export interface WriteBehind {
  /** False where there is no room. */
  add(bytes: number, write: () => Promise<void>): boolean
  readonly dropped: number
  /** Writes all that waits, without pause. */
  close(): Promise<void>
}

const DEFAULTS: Required<WriteBehindOptions> = { burst: 64, perSecond: 25, maxBytes: 32 * 1024 * 1024 }

export function createWriteBehind (options: WriteBehindOptions = {}): WriteBehind {
  const { burst, perSecond, maxBytes } = { ...DEFAULTS, ...options }
  const queue: Array<{ readonly bytes: number, readonly write: () => Promise<void> }> = []
  let waitingBytes = 0
  let dropped = 0
  let allowance = burst
  let refilledAt = performance.now()
  let isClosed = false
  let running: Promise<void> | undefined
  let endPause = (): void => {}

  const pause = async (ms: number): Promise<void> => {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      timer.unref()
      endPause = () => { clearTimeout(timer); resolve() }
    })
  }
  const drain = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const now = performance.now()
      allowance = Math.min(burst, allowance + (now - refilledAt) * perSecond / 1000)
      refilledAt = now
      if (allowance < 1 && !isClosed) await pause((1 - allowance) * 1000 / perSecond)
      allowance--
      waitingBytes -= next.bytes
      await next.write().catch(() => {}) // whoever queued it counts its failures
    }
    running = undefined
  }

  return {
    add (bytes, write) {
      if (isClosed || waitingBytes + bytes > maxBytes) {
        dropped++
        return false
      }
      waitingBytes += bytes
      queue.push({ bytes, write })
      running ??= drain()
      return true
    },
    get dropped () { return dropped },
    async close () {
      isClosed = true
      endPause()
      await running
    }
  }
}
