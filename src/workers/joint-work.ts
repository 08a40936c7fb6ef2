import type { FairShare } from './fair-share.js'

/** Work that several callers may ask for at a time: done once, as soon as one of them has a turn. */
export interface JointWork<T> {
  /**
   * What comes of the work of that key: of the one that is asked for already, else of this.
   *
   * @throws what the work throws, and what FairShare.run throws where nobody else waits for it
   */
  run(key: string, caller: string, work: () => Promise<T>): Promise<T>
}

/**
 * Callers who wait in their own line for one piece of work. A thousand agents that boot at once must not take all the room, so that of more
 * callers the others rely on these.
 */
const MAX_LINES = 8

interface Joint<T> {
  readonly result: Promise<T>
  ask(caller: string): void
}

/**
 * Nobody waits for the turn of another: who asks for what a caller with a long line asked for first has it when their own turn comes.
 *
 * @param turns whose work nobody else's deadline or leaving touches
 */
export function createJointWork<T> (turns: FairShare): JointWork<T> {
  const all = new Map<string, Joint<T>>()
  return {
    run (key, caller, work) {
      let joint = all.get(key)
      if (joint === undefined) {
        joint = createJoint(turns, work)
        all.set(key, joint)
        const end = (): void => { all.delete(key) }
        joint.result.then(end, end)
      }
      joint.ask(caller)
      return joint.result
    }
  }
}

function createJoint<T> (turns: FairShare, work: () => Promise<T>): Joint<T> {
  const callers = new Set<string>()
  let waiting = 0
  let hasBegun = false
  let settle: { readonly resolve: (value: T) => void, readonly reject: (reason: unknown) => void } | undefined
  const result = new Promise<T>((resolve, reject) => { settle = { resolve, reject } })
  const begin = async (): Promise<void> => {
    if (hasBegun) return // in the turn of another
    hasBegun = true
    await work().then(settle?.resolve, settle?.reject)
  }
  return {
    result,
    ask (caller) {
      if (hasBegun || callers.has(caller) || callers.size >= MAX_LINES) return
      callers.add(caller)
      waiting++
      turns.run(caller, begin).catch((refusal: unknown) => {
        if (--waiting === 0 && !hasBegun) settle?.reject(refusal)
      })
    }
  }
}
