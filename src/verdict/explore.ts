import { isJumpClass } from '../insn/opcodes.js'
import type { IsAhead } from './ahead.js'
import { isFound, isLeft, keepBefore, type Run, type Search, type Work } from './run.js'
import { isTarget } from './flow.js'
import { step } from './step.js'
import { copyState, joinStates, newSeen, stateCovers, tidy, topFrame, type State } from './state.js'

/** States of one instruction that are told apart; later ones are joined, so that the work stays bounded. */
const STATES_PER_PLACE = 64
/**
 * Those in doubt of a large object, once all that is certain of the program was followed: they can only tell what is out of reach, and
 * that the joined ones mostly tell as well. No answer for any large object that was met needs more than four.
 */
const STATES_IN_DOUBT = 8

/** Follows all pending states to their ends, or until nothing is left to find. False where the work ran out first. */
export function explore (run: Run): boolean {
  while (run.certain.left > 0 && (run.isThorough || !isLeft(run))) {
    const state = run.pending.pop()
    if (state === undefined) break
    renew(run, run.certain)
    renew(run, run.doubtful)
    if (!follow(run, state)) return false
  }
  return true
}

/** Leaves out what was found since the last time, where as many steps were taken since as the passes over the functions cost. */
function renew (run: Run, search: Search): void {
  const { work: { left: steps }, renewal } = run
  if (search.left === search.before || search.steps - steps < renewal) return
  search.isAhead = run.isAheadBut((fn, index) => {
    const reached = run.reached.get(fn)?.get(index)
    return search === run.certain ? reached?.doubt === null : reached !== undefined || isFound(run.found, fn, index)
  })
  search.before = search.left
  search.steps = steps
}

function follow (run: Run, start: State): boolean {
  let state: State | undefined = start
  /** Whether the way here was not the only one from where it was asked before. */
  let isOpen = true
  while (state !== undefined) {
    if (run.work.left-- <= 0) return false
    const { pc } = state
    const { body } = topFrame(state).code
    const insn = body.insnAt(pc)
    if (insn === undefined) return true // falls off its function, which the verifier refuses
    if (isOpen && !leadsToPoison(run, state)) {
      if (mayLeadFurther(run, state)) keepBefore(run, state)
      return true
    }
    if (!run.isThorough && isLater(run, state)) {
      run.setAside.push(state)
      return true
    }
    if (run.choices === undefined && (pc === 0 || isTarget(body.flow(), pc))) {
      state = arrive(state, run.isThorough && run.work.inDoubt <= 0 ? STATES_IN_DOUBT : STATES_PER_PLACE)
      if (state === undefined) return true
    }
    isOpen = isJumpClass(insn.code)
    const waiting = run.pending.length
    if (!step(run, state, insn)) return true
    if (run.pending.length > waiting && isShortOfSteps(run.work)) state = nearer(run, state)
  }
  return true
}

/** The one of a state and its last fork that has less before it to what is asked for. The other waits. */
function nearer (run: Run, state: State): State {
  const { pending } = run
  const other = pending[pending.length - 1]
  if (other === undefined || other.frames.length !== state.frames.length) return state
  const distanceOf = (way: State): number => searchFor(run, way).isAhead.distance(topFrame(way).code, way.pc)
  const [own, others] = [distanceOf(state), distanceOf(other)]
  if (others === 0 || (own !== 0 && own <= others)) return state
  pending[pending.length - 1] = state
  return other
}

/** Whether a state can wait until more is known of the program, or need not be followed. */
function isLater (run: Run, { doubt }: State): boolean {
  if (run.fails) {
    if (isLeft(run)) return true
    run.further--
    run.work.further--
  }
  if (doubt === null) return false
  if (isShortOfSteps(run.work)) return true
  run.work.inDoubt--
  if (run.fails) run.work.inDoubtOfFailing--
  return false
}

/** Whether no steps are left for states in doubt before others. */
function isShortOfSteps ({ inDoubt, inDoubtOfFailing }: Work): boolean { return inDoubt <= 0 || inDoubtOfFailing <= 0 }

const searchFor = ({ certain, doubtful }: Run, { doubt }: State): Search => doubt === null ? certain : doubtful

/** Nothing else is asked for: a state that only leads elsewhere needs no following. */
function leadsToPoison (run: Run, state: State): boolean {
  const { left, isAhead } = searchFor(run, state)
  return left > 0 && isAnyAhead(isAhead, state)
}

/** Whether a state that is not worth following leads to poison that was found, and so to what is behind that. */
function mayLeadFurther (run: Run, state: State): boolean {
  if (run.stopped === undefined) return false
  const { left, isAhead } = searchFor(run, state)
  return (left === 0 || isAhead !== run.isPoisonAhead) && isAnyAhead(run.isPoisonAhead, state)
}

function isAnyAhead (isAhead: IsAhead, { frames, pc }: State): boolean {
  let at = pc
  for (let depth = frames.length - 1; depth >= 0; depth--) {
    const frame = frames[depth]
    if (frame === undefined) break
    if (isAhead(frame.code, at)) return true
    at = frame.callback === undefined ? frame.returnTo : frame.returnTo - 1
  }
  return false
}

/** Drops a state that adds nothing to those seen here, and joins it with them where they are more than `most`. */
function arrive (state: State, most: number): State | undefined {
  tidy(state)
  const { seen: places } = topFrame(state).context
  let seen = places.get(state.pc)
  if (seen === undefined) {
    seen = newSeen()
    places.set(state.pc, seen)
  }
  for (const earlier of seen.states) if (stateCovers(seen, earlier, state)) return undefined
  if (seen.states.length < most) {
    seen.states.push(copyState(state))
    return state
  }
  if (seen.joined === undefined) seen.joined = copyState(state)
  else {
    if (stateCovers(seen, seen.joined, state)) return undefined
    const joined = joinStates(seen.joined, state)
    if (joined === seen.joined) return undefined
    seen.joined = joined
  }
  return copyState(seen.joined)
}
