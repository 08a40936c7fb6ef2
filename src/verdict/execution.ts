import type { ElfFunction } from '../elf/functions.js'
import { ageOf } from './age.js'
import { exploreProgram, newRun, type Shared } from './exploration.js'
import { createChoices, type Choices } from './free.js'
import { note, type Run, type Search } from './run.js'
import { union } from './scalar.js'

/** Executions of a program that are tried. Of random programs for which one is found, half need one and nine of ten need five. */
const TRIES = 20
/** Steps of one. */
const STEPS_EACH = 400
/** Steps for a program. */
const STEPS = 1_500

/** No release: of what is not about numbers either, only what verifiers of all ages do is followed where none is named. */
const OF_ANY_AGE = ''

/**
 * Looks for an execution of a program that gets to poison. Verifiers of different ages know different things of numbers, and whether
 * one decides a branch cannot always be told; but none may leave out what can happen. So that is followed, for numbers that are chosen
 * where verifiers take a number for one that can be any: a helper's result, what is read of a map.
 *
 * Notes what is found. What does not depend on numbers is followed by the rules of the verifier's age, and never in doubt.
 *
 * @param run an exploration of the program, which found no poison for certain
 */
export function findExecution (shared: Shared, run: Run, closure: ReadonlySet<ElfFunction>, fn: ElfFunction): void {
  const choices = createChoices(shared.age === ageOf(undefined) ? ageOf(OF_ANY_AGE) : shared.age)
  const { work } = shared
  let left = Math.min(STEPS, work.forExecutions)
  for (let tries = 0; tries < TRIES && left > 0; tries++) {
    const most = Math.min(STEPS_EACH, left)
    const execution = newExecution(shared, run, fn, choices, most)
    choices.made = false
    choices.isDirect = tries % 2 === 0
    exploreProgram(execution, shared, closure, fn)
    const taken = most - Math.max(execution.work.left, 0)
    left -= taken
    work.forExecutions -= taken
    if (execution.fails) {
      takeOver(run, execution)
      return
    }
    if (!choices.made) return // the next would be the same
  }
}

/** @param steps that it may take */
function newExecution (shared: Shared, run: Run, fn: ElfFunction, choices: Choices, steps: number): Run {
  // As many as before, so that what leads to poison is not worked out anew.
  const search = (left: number): Search => ({ left, isAhead: run.isPoisonAhead, before: left, steps })
  return {
    ...newRun(shared, fn),
    age: choices.ageOfNumbers,
    choices,
    work: { left: steps, inDoubt: 1, inDoubtOfFailing: 1, further: 0, forExecutions: 0 },
    stopped: undefined,
    isThorough: true,
    certain: search(1),
    doubtful: search(0)
  }
}

function takeOver (run: Run, { reached, rests }: Run): void {
  for (const [fn, places] of reached) {
    for (const [index, { doubt }] of places) if (doubt === null) note(run, fn, index, null)
  }
  run.rests = union(run.rests, rests)
}
