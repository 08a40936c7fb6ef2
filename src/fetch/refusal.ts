/**
 * Why a source gave nothing:
 * - `absent`: it does not have it. Only this one means that the kernel is unknown there.
 * - `malformed`: what it has is not the BTF of this kernel.
 * - `denied`: it does not let us.
 * - `busy`: it asked us to come later.
 * - `failed`: it broke, or could not be reached.
 * - `timeout`: it took too long.
 */
export type RefusalState = 'absent' | 'malformed' | 'denied' | 'busy' | 'failed' | 'timeout'

export interface Refusal {
  readonly state: RefusalState
  /** One clause for people, which follows the source's name: what was asked and what came back. */
  readonly answer: string
  /** Milliseconds after which to ask again, where the origin or the circumstances said. */
  readonly retryAfterMs?: number
}

/** From what says least about the kernel to what says most: who may have had it comes before who certainly had not. */
const GRAVITY: readonly RefusalState[] = ['timeout', 'failed', 'busy', 'denied', 'malformed', 'absent']

/** The one of several refusals that decides: nothing is absent unless everyone says so. */
export function gravest<R extends Refusal> (refusals: readonly R[]): R | undefined {
  return [...refusals].sort((a, b) => GRAVITY.indexOf(a.state) - GRAVITY.indexOf(b.state))[0]
}
