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
  /** Resolves when the present state is on disk: true; or could not be put there: false. */
  save(): Promise<boolean>
}

export async function openPending ({ path, warn }: Pick<KeptFileOptions, 'path' | 'warn'>): Promise<Pending> {
  const awaited = new Map<string, AwaitedKernel>()
  const events = new Map<string, WatchEvent>()
  const file = createKeptFile({
    path,
    warn,
    text: () => JSON.stringify({ awaited: [...awaited], events: [...events.values()] } satisfies Stored)
  })
  const text = await file.read()
  if (text !== undefined) {
    const stored = JSON.parse(text) as Stored // its checksum proves that save wrote it
    for (const [name, kernel] of stored.awaited) awaited.set(name, kernel)
    for (const event of stored.events) events.set(event.id, event)
  }
  return { awaited, events, save: () => file.save() }
}

interface Stored {
  readonly awaited: ReadonlyArray<readonly [string, AwaitedKernel]>
  readonly events: readonly WatchEvent[]
}
