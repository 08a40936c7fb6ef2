import { ANY_NUMBER } from './bounds.js'
import type { Code } from './code.js'
import { scalar, type Scalar } from './scalar.js'
import { clearId, joinSlots, mapSlot, newStack, sameSlot, slotCovers, slotOf, VAGUE_SLOT, type Slot, type Stack } from './stack.js'
import { covers, FEW_IDS, idOf, join, sameValue, UNCLEAR, withId, type IdPairs, type Value } from './value.js'

/** Where calls came from: one for each chain of call sites, so that states are compared with those of the same chain. */
export interface Context {
  readonly code: Code
  readonly parent: Context | undefined
  readonly callees: Map<string, Context>
  /** States that were here before, by instruction. */
  readonly seen: Map<number, Seen>
  readonly depth: number
}

export interface Seen {
  readonly states: State[]
  /** All later states in one. */
  joined: State | undefined
  /** Numbers that changed between two visits, at places where the verifier forgets them. */
  last: State | undefined
  /** The slot of the function's stack that told two states apart last: the counter of a loop tells all of its turns apart. */
  telling: number
}

export function newSeen (): Seen { return { states: [], joined: undefined, last: undefined, telling: 0 } }

export interface Frame {
  readonly context: Context
  readonly code: Code
  registers: Array<Value | undefined>
  /** Written to through `ownStack` only. */
  stack: Stack
  /** Whether another frame may have the same stack. */
  isStackShared: boolean
  /** Instruction of the caller that comes after the call. */
  readonly returnTo: number
  /** Of a function that a helper calls: the call chain's frames as they were then, since it may be called again. */
  readonly callback: Callback | undefined
}

export interface Callback {
  readonly before: readonly Frame[]
  readonly arguments: ReadonlyArray<Value | undefined>
  readonly isCertain: boolean
  /** Which call of it this is, from 1; counted where there is a limit only. */
  readonly turn: number
  /** How many calls the verifier follows; undefined where it follows any number. */
  readonly limit: number | undefined
}

export interface State {
  frames: Frame[]
  pc: number
  /** Why it is not certain that the verifier gets here; null where it is. */
  doubt: string | null
  /** Whether two pointers were compared that may be to a packet: what the verifier learns from that is not followed. */
  compared: boolean
  /** Assumptions that the way here rests on. */
  rests: readonly string[]
}

export function newContext (code: Code, parent: Context | undefined): Context {
  return { code, parent, callees: new Map(), seen: new Map(), depth: (parent?.depth ?? -1) + 1 }
}

export function copyState (state: State): State {
  const frames = state.frames.slice()
  for (let depth = 0; depth < frames.length; depth++) {
    const frame = frames[depth]
    if (frame !== undefined) frames[depth] = copyFrame(frame)
  }
  return { frames, pc: state.pc, doubt: state.doubt, compared: state.compared, rests: state.rests }
}

/** The copy has the same stack, until one of the two is written to: most copies are of states that go on to the next branch. */
export function copyFrame (frame: Frame): Frame {
  const { context, code, registers, stack, returnTo, callback } = frame
  frame.isStackShared = true
  return { context, code, registers: registers.slice(), stack, isStackShared: true, returnTo, callback }
}

/** The frame's stack, to be written to. */
export function ownStack (frame: Frame): Stack {
  if (frame.isStackShared) {
    frame.stack = frame.stack.slice()
    frame.isStackShared = false
  }
  return frame.stack
}

export function topFrame (state: State): Frame {
  const frame = state.frames[state.frames.length - 1]
  if (frame === undefined) throw new Error('a state has a frame')
  return frame
}

/** Registers of a frame that may be read later. A caller's are those after the call. */
function liveOf (state: State, depth: number): number {
  const frame = state.frames[depth]
  if (frame === undefined) return 0
  const callee = state.frames[depth + 1]
  return callee === undefined ? frame.code.body.live()[state.pc] ?? 0 : (frame.code.body.live()[callee.returnTo] ?? 0) & ~0b111111
}

/** Forgets what no instruction will read, and ids that nothing shares: what remains is what two states are compared by. */
export function tidy (state: State): void {
  const { frames } = state
  const ids: number[] = []
  for (let depth = 0; depth < frames.length; depth++) {
    const frame = frames[depth]
    if (frame === undefined) break
    const { registers, stack } = frame
    const live = liveOf(state, depth)
    for (let r = 0; r < 10; r++) {
      if ((live >> r & 1) === 0) registers[r] = undefined
      else addId(ids, registers[r])
    }
    for (let i = 0; i < stack.length; i++) addId(ids, stack[i]?.value)
  }
  if (ids.length === 0) return
  const isLone = loneIds(ids)
  for (const frame of frames) {
    const { registers } = frame
    for (let r = 0; r < 10; r++) {
      const value = registers[r]
      if (value !== undefined && isLone(idOf(value))) registers[r] = withId(value, 0)
    }
    for (let i = 0; i < frame.stack.length; i++) {
      const slot = frame.stack[i]
      if (slot?.value !== undefined && isLone(idOf(slot.value))) ownStack(frame)[i] = clearId(slot)
    }
  }
}

function addId (ids: number[], value: Value | undefined): void {
  const id = value === undefined ? 0 : idOf(value)
  if (id !== 0) ids.push(id)
}

/** Which ids are in the list once. */
function loneIds (ids: readonly number[]): (id: number) => boolean {
  if (ids.length <= FEW_IDS) return id => id !== 0 && ids.indexOf(id) === ids.lastIndexOf(id)
  const uses = new Map<number, number>()
  for (const id of ids) uses.set(id, (uses.get(id) ?? 0) + 1)
  return id => id !== 0 && uses.get(id) === 1
}

/**
 * Whether everything that can come of `b` comes of `a` too, with no less certainty. Both are at one instruction of one context.
 *
 * @param seen what was seen there
 */
export function stateCovers (seen: Seen, a: State, b: State): boolean {
  if (b.doubt === null && (a.doubt !== null || (a.compared && !b.compared))) return false
  const needsExact = b.doubt === null
  const { telling } = seen
  if (!slotCovers(topFrame(a).stack[telling], topFrame(b).stack[telling], { list: [], table: undefined }, needsExact)) return false
  const ids: IdPairs = { list: [], table: undefined }
  for (let depth = a.frames.length - 1; depth >= 0; depth--) {
    const frame = a.frames[depth]
    const other = b.frames[depth]
    if (frame === undefined || other === undefined || turnOf(frame) > turnOf(other)) return false
    for (let r = 0; r < 10; r++) if (!covers(frame.registers[r], other.registers[r], ids, needsExact)) return false
    // What is not known of a slot covers anything.
    for (let i = 0; i < frame.stack.length; i++) {
      if (slotCovers(frame.stack[i], other.stack[i], ids, needsExact)) continue
      if (depth === a.frames.length - 1) seen.telling = i
      return false
    }
  }
  return true
}

/** What comes of an earlier turn of a callback comes of a later one only in part. */
const turnOf = ({ callback }: Frame): number => callback?.turn ?? 0

/** Both states in one, which is `a` itself where `b` adds nothing. */
export function joinStates (a: State, b: State): State {
  let changed = a.doubt !== null && b.doubt === null
  const frames = a.frames.map((frame, depth) => {
    const other = b.frames[depth]
    if (other === undefined) return frame
    const isEarlier = turnOf(other) < turnOf(frame)
    if (isEarlier) changed = true
    const registers = frame.registers.map((value, r) => {
      const joined = join(value, other.registers[r])
      if (!sameValue(joined, value)) changed = true
      return joined
    })
    const stack = newStack()
    for (let i = 0; i < Math.max(frame.stack.length, other.stack.length); i++) {
      const joined = joinSlots(frame.stack[i], other.stack[i])
      if (!sameSlot(joined, frame.stack[i])) changed = true
      if (joined !== undefined) stack[i] = joined
    }
    return { ...frame, registers, stack, isStackShared: false, callback: isEarlier ? other.callback : frame.callback }
  })
  if (!changed) return a
  return {
    frames: frames.map(frame => withoutIds(frame)),
    pc: a.pc,
    doubt: a.doubt === null ? null : b.doubt,
    compared: a.compared || b.compared,
    rests: a.rests
  }
}

/** Which of two states' copies are copies in both would have to be worked out; a joined state has none. */
function withoutIds (frame: Frame): Frame {
  return {
    ...frame,
    registers: frame.registers.map(value => value === undefined ? undefined : unlink(value)),
    stack: frame.stack.map(slot => slot === undefined ? undefined : mapSlot(slot, unlink)),
    isStackShared: false
  }
}

/** A number that other verifier states narrow with its copies: that is not followed, so what is known of it is not all there is. */
function unlink (value: Value): Value {
  if (value.kind === 'scalar') {
    return value.id === 0 && value.related === 0 ? value : scalar(value.bounds, { exact: false, from: value.from, isOne: value.isOne })
  }
  return idOf(value) === 0 ? value : UNCLEAR
}

/** Replaces every value, in registers and on the stack, of all frames: in the verifier's order, callees first. */
export function mapValues (state: State, change: (value: Value) => Value): void {
  for (let depth = state.frames.length - 1; depth >= 0; depth--) {
    const frame = state.frames[depth]
    if (frame === undefined) continue
    const { registers } = frame
    for (let r = 0; r < 10; r++) {
      const value = registers[r]
      if (value !== undefined) registers[r] = change(value)
    }
    for (let i = 0; i < frame.stack.length; i++) {
      const slot = frame.stack[i]
      if (slot?.value === undefined) continue
      const changed = mapSlot(slot, change)
      if (changed !== slot) ownStack(frame)[i] = changed
    }
  }
}

/**
 * Forgets the numbers that differ from an earlier visit, in frames up to `depth`: what the verifier does at the head of a loop
 * whose length it does not know.
 */
export function widen (state: State, earlier: readonly Frame[], depth: number): void {
  state.frames.slice(0, depth).forEach((frame, i) => {
    const before = earlier[i]
    if (before === undefined) return
    frame.registers = frame.registers.map((value, r) =>
      value?.kind === 'scalar' && !sameValue(value, before.registers[r]) ? vague(value) : value)
    frame.stack.forEach((slot: Slot | undefined, s) => {
      if (slot !== undefined && !sameSlot(slot, before.stack[s])) ownStack(frame)[s] = widenSlot(slot, before.stack[s])
    })
  })
}

/** Numbers that were spilled at both visits are forgotten; bytes that hold none, zeroes among them, are kept. */
function widenSlot (slot: Slot, before: Slot | undefined): Slot {
  if (slot.value === undefined) return slot.vague === 0 ? slot : VAGUE_SLOT
  if (slot.value.kind !== 'scalar' || sameValue(slot.value, before?.value)) return slot
  return slotOf(vague(slot.value), slot.size, slot.zeroes, slot.vague)
}

const vague = (value: Scalar): Scalar => scalar(ANY_NUMBER, { exact: false, from: value.from })
