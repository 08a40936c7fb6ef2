import type { BulkheadPolicy } from 'cockatiel'

/** Files that the event loop has open at a time. The threads that do the work are four: more would only hold descriptors. */
const MAX_OPEN = 32

/** Made when it is first needed: a command that writes nothing starts in four fifths of the time without that package. */
let places: Promise<BulkheadPolicy> | undefined

/**
 * Runs work that opens a file, when there is room for one more. Thousands of files that are wanted at once (an archive of a
 * kernel's modules) must not use up what the process may open. `work` must not wait for another file of this kind.
 */
export async function withOpenFile<T> (work: () => Promise<T>): Promise<T> {
  places ??= import('cockatiel').then(({ bulkhead }) => bulkhead(MAX_OPEN, Infinity))
  return await (await places).execute(work)
}
