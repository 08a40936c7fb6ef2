/** Files that the event loop has open at a time. The threads that do the work are four: more would only hold descriptors. */
const MAX_OPEN = 32

let open = 0
/** What waits for room, in the order in which it came. */
const waiting: Array<() => void> = []

/**
 * Runs work that opens a file, when there is room for one more. Thousands of files that are wanted at once (an archive of a
 * kernel's modules) must not use up what the process may open. `work` must not wait for another file of this kind.
 *
 * Without a package: each command that reads the index would load it, for a fifth of the time in which it starts.
 */
export async function withOpenFile<T> (work: () => Promise<T>): Promise<T> {
  if (open === MAX_OPEN) await new Promise<void>(resolve => { waiting.push(resolve) })
  else open++
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next === undefined) open--
    else next() // which has this one's room
  }
}
