/** One thing to be written, once its turn comes. */
export interface Upload {
  /** Writes it. False where it should be tried again later. */
  run(): Promise<boolean>
}

export interface UploadQueue {
  /** Resolves to whether it was written. What finds no room is dropped. */
  add(upload: Upload): Promise<boolean>
  /** Goes on after a pause. */
  resume(): void
  readonly dropped: number
  readonly size: number
  /** Drops what waits, and waits for what is under way. */
  close(): Promise<void>
}

export interface UploadQueueOptions {
  /** Whether to go on with what waits. Where not, `resume` says when. */
  readonly mayRun: () => boolean
  readonly length?: number
  readonly inFlight?: number
}

const ATTEMPTS = 3
const DEFAULTS = { length: 400, inFlight: 20 } as const

/**
 * Writes that nobody waits for. What waits are names of content, not the content, so that a long queue is small; and while the
 * other side is away it waits there.
 */
export function createUploadQueue (options: UploadQueueOptions): UploadQueue {
  const { mayRun, length, inFlight } = { ...DEFAULTS, ...options }
  const waiting: Array<{ readonly upload: Upload, readonly attempt: number, readonly settle: (isWritten: boolean) => void }> = []
  const running = new Set<Promise<void>>()
  let dropped = 0
  let isClosed = false

  const advance = (): void => {
    const hasRoom = (): boolean => !isClosed && running.size < inFlight
    while (hasRoom() && mayRun()) {
      const next = waiting.shift()
      if (next === undefined) return
      const run = (async () => {
        const isWritten = await next.upload.run().catch(() => false)
        if (isWritten) next.settle(true)
        else if (next.attempt < ATTEMPTS && !isClosed) waiting.unshift({ ...next, attempt: next.attempt + 1 })
        else drop(next)
      })()
      running.add(run)
      run.then(() => {
        running.delete(run)
        advance()
      }).catch(() => {}) // nothing in it rejects
    }
  }
  const drop = ({ settle }: { readonly settle: (isWritten: boolean) => void }): void => {
    dropped++
    settle(false)
  }

  return {
    add: upload => new Promise(resolve => {
      if (isClosed || waiting.length >= length) {
        drop({ settle: resolve })
        return
      }
      waiting.push({ upload, attempt: 1, settle: resolve })
      advance()
    }),
    resume: advance,
    get dropped () { return dropped },
    get size () { return waiting.length + running.size },
    async close () {
      isClosed = true
      for (const next of waiting.splice(0)) drop(next)
      await Promise.all(running)
    }
  }
}
