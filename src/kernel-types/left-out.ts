import type { LeftOut } from '../wire/types.js'

/** Kernels of which an answer says nothing, by the reason. */
export interface LeftOutKernels {
  readonly kernels: number
  add(reason: string, kernel: string): void
  /** A reason that is about no kernel, such as a pattern that matches none. */
  note(reason: string): void
  list(): LeftOut[]
}

/** Kernels of a reason that are named. */
const MAX_EXAMPLES = 10

export function createLeftOut (): LeftOutKernels {
  const reasons = new Map<string, { kernels: number, readonly examples: string[] }>()
  let kernels = 0
  const entryOf = (reason: string) => {
    const entry = reasons.get(reason) ?? { kernels: 0, examples: [] }
    reasons.set(reason, entry)
    return entry
  }
  return {
    get kernels () { return kernels },
    add (reason, kernel) {
      const entry = entryOf(reason)
      kernels++
      entry.kernels++
      if (entry.examples.length < MAX_EXAMPLES) entry.examples.push(kernel)
    },
    note: reason => { entryOf(reason) },
    list: () => [...reasons].map(([reason, entry]) => ({ reason, ...entry }))
  }
}
