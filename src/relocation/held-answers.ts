import type { HeldQuestion, RelocateAnswer } from './types.js'
import type { Question } from './answers.js'

/** An answer from a held result, and what it was found by. */
export interface HeldAnswer {
  readonly answer: RelocateAnswer
  /** What the result is held under. */
  readonly key: string
  readonly question: Question
  /** When the use of its object and BTF was last noted, on the clock of `performance.now`. */
  notedAt: number
}

/** Answers that were found, for as long as nothing changes that they follow from: to find one anew costs more than to send it. */
export interface HeldAnswers {
  /** The answer to this very question, the same object as before. */
  find(question: HeldQuestion): HeldAnswer | undefined
  keep(question: HeldQuestion, held: HeldAnswer): void
  /** Lets go of all: a result is held no more. */
  clear(): void
}

export interface HeldAnswersOptions {
  /** Changes with the rows that say which kernel has a BTF, and where it is from. */
  readonly revision: () => number
  /** Name of the key that signs now. */
  readonly keyId: () => string
}

interface Kept {
  readonly held: HeldAnswer
  readonly revision: number
  readonly keyId: string
}

export function createHeldAnswers ({ revision, keyId }: HeldAnswersOptions): HeldAnswers {
  let answers = new WeakMap<HeldQuestion, Kept>()
  return {
    find (question) {
      const kept = answers.get(question)
      return kept !== undefined && kept.revision === revision() && kept.keyId === keyId() ? kept.held : undefined
    },
    keep (question, held) { answers.set(question, { held, revision: revision(), keyId: keyId() }) },
    clear () { answers = new WeakMap() }
  }
}
