import type { WatchEvent } from './events.js'
import { createKeptFile, type KeptFileOptions } from './kept-file.js'

/** A new kernel whose BTF is not held yet. */
export interface AwaitedKernel {
  /** When it was first listed (RFC 3339). */
  readonly since: string
  /** Whether the service fetches it by itself. */
  readonly isWatched: boolean
  /** How often it was tried in vain. */
  readonly tries: number
}

/** What is still to be done about new kernels. Outlives the process. */
export interface Pending {
  /** By their references. */
  readonly awaited: Map<string, AwaitedKernel>
  /** Events to be told, by their ids, in the order in which they happened. */
  readonly events: Map<string, WatchEvent>
  /**
   * Goes on from what replicas have still to do, where nothing is known here: before anything is added, and once. Nothing is written
   * before.
   */
  adopt(signal: AbortSignal): Promise<void>
  /** Resolves when the present state is on disk: true; or could not be put there: false. */
  save(): Promise<boolean>
}

/** With what was still to be done when the service last ran here. */
export async function openPending ({ path, elsewhere, warn }: Pick<KeptFileOptions, 'path' | 'elsewhere' | 'warn'>): Promise<Pending> {
  const awaited = new Map<string, AwaitedKernel>()
  const events = new Map<string, WatchEvent>()
  const file = createKeptFile({
    path,
    elsewhere,
    warn,
    text: () => JSON.stringify({ awaited: [...awaited], events: [...events.values()] } satisfies Stored)
  })
  const take = (text: string): void => {
    const stored = JSON.parse(text) as Stored // its checksum proves that save wrote it
    for (const [name, kernel] of stored.awaited) if (!awaited.has(name)) awaited.set(name, kernel)
    for (const event of stored.events) if (!events.has(event.id)) events.set(event.id, event)
  }
  const own = await file.read()
  if (own !== undefined) take(own)
  /** Whether all that is to be done is here, so that it may take the place of what was written. */
  let isWhole = own !== undefined || elsewhere === undefined
  return {
    awaited,
    events,
    async adopt (signal) {
      const others = isWhole ? undefined : await file.readElsewhere(signal)
      if (signal.aborted) return
      if (others !== undefined) take(others)
      isWhole = true
    },
    save: async () => isWhole && await file.save()
  }
}

interface Stored {
  readonly awaited: ReadonlyArray<readonly [string, AwaitedKernel]>
  readonly events: readonly WatchEvent[]
}
