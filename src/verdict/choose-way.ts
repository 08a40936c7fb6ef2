import { decide, exchanged, JMP, opposite, type Comparison } from './compare.js'
import { chooseFrom, chooseRegister, freeNumber, freeRange, only, replaceFree, type Choices, type Range } from './free.js'
import { operand, restOn, type Run } from './run.js'
import { CHOSEN, constant, isConstant, union, type Scalar } from './scalar.js'
import { topFrame, type State } from './state.js'
import { U32, U64 } from './tnum.js'

/** Follows a conditional jump of an execution: the way that its numbers take, or one of those that free ones can take. */
export function chooseWay (run: Run, choices: Choices, state: State, comparison: Comparison<Scalar>): void {
  const { operation, is64, leftRegister, rightRegister, next, target } = comparison
  const isSame = comparison.left.id !== 0 && comparison.left.id === comparison.right.id
  if (rightRegister === leftRegister || isSame) chooseRegister(choices, state, leftRegister)
  else if (rightRegister !== undefined && freeRange(comparison.left) !== undefined) chooseRegister(choices, state, rightRegister)
  const left = operand(state, leftRegister)
  const right = rightRegister === undefined ? comparison.right : operand(state, rightRegister)
  if (left?.kind !== 'scalar' || right?.kind !== 'scalar' || !left.exact || !right.exact) {
    giveUp(state)
    return
  }
  const rests = union(left.from, right.from).filter(name => name !== CHOSEN)
  const go = (isTaken: boolean): void => {
    restOn(run, state, rests, isTaken ? next : target)
    state.pc = isTaken ? target : next
  }
  const [free, other, register] = isConstant(left) ? [right, left, rightRegister] : [left, right, leftRegister]
  const range = freeRange(free)
  if (range === undefined || register === undefined) {
    go(decide(run.age.sure, operation, left, right, is64) === true)
    return
  }
  const asked = free === left ? operation : exchanged(operation)
  const partsOf = partsWhere(run, choices, state, range, asked, other, is64)
  const distanceOf = (isTaken: boolean): number => run.certain.isAhead.distance(topFrame(state).code, isTaken ? target : next)
  const first = isFirst(choices, distanceOf(true), distanceOf(false))
  const parts = partsOf(first)
  const isTaken = parts.length > 0 ? first : !first
  const part = pick(choices, parts.length > 0 ? parts : partsOf(!first))
  if (part === undefined) {
    giveUp(state)
    return
  }
  replaceFree(state, register, free, freeNumber(part, free))
  go(isTaken)
}

/** Ends the execution: it is followed only while nothing is in doubt. */
function giveUp (state: State): void {
  state.doubt ??= `Which way is taken at instruction ${state.pc} of ${topFrame(state).code.fn.name} is not known.`
}

/** Whether the jump's way is tried before the other. @param jump how far poison is on it, `other`: on the other; 0 where none is */
function isFirst (choices: Choices, jump: number, other: number): boolean {
  if ((jump === 0) !== (other === 0)) return jump !== 0
  choices.made = true
  return choices.isDirect && jump !== other ? jump < other : choices.below(2) === 0
}

function pick<T> ({ below }: Choices, some: readonly T[]): T | undefined { return some.length < 2 ? some[0] : some[below(some.length)] }

/** Numbers that are tried where those that take a way are no ranges. */
const TRIED = 8

/** The numbers of a range that take a way, or some of them. */
function partsWhere (
  { age }: Run, choices: Choices, state: State, range: Range, operation: number, other: Scalar, is64: boolean
): (isTaken: boolean) => readonly Range[] {
  if (operation === JMP.JSET || (!is64 && range.high > U32)) {
    const tried = Array.from({ length: TRIED }, () => chooseFrom(choices, topFrame(state).code, range, undefined, other.bounds.bits))
    return isTaken => tried.filter(number => decide(age.sure, operation, constant(number), other, is64) === isTaken).map(only)
  }
  const number = is64 ? other.bounds.bits : other.bounds.bits & U32
  return isTaken => holding(isTaken ? operation : opposite(operation), number, is64).flatMap(part => meet(part, range))
}

function meet (a: Range, b: Range): Range[] {
  const low = a.low > b.low ? a.low : b.low
  const high = a.high < b.high ? a.high : b.high
  return low <= high ? [{ low, high }] : []
}

/** The numbers, of 64 or 32 bits, for which a comparison with a number holds. An end below the start: there is none. */
function holding (operation: number, number: bigint, is64: boolean): readonly Range[] {
  const top = is64 ? U64 : U32
  const lowest = (top >> 1n) + 1n
  const isNegative = number >= lowest
  switch (operation) {
    case JMP.JEQ: return [{ low: number, high: number }]
    case JMP.JNE: return [{ low: 0n, high: number - 1n }, { low: number + 1n, high: top }]
    case JMP.JGT: return [{ low: number + 1n, high: top }]
    case JMP.JGE: return [{ low: number, high: top }]
    case JMP.JLT: return [{ low: 0n, high: number - 1n }]
    case JMP.JLE: return [{ low: 0n, high: number }]
    case JMP.JSGT: return isNegative
      ? [{ low: number + 1n, high: top }, { low: 0n, high: lowest - 1n }]
      : [{ low: number + 1n, high: lowest - 1n }]
    case JMP.JSGE: return isNegative
      ? [{ low: number, high: top }, { low: 0n, high: lowest - 1n }]
      : [{ low: number, high: lowest - 1n }]
    case JMP.JSLT: return isNegative
      ? [{ low: lowest, high: number - 1n }]
      : [{ low: 0n, high: number - 1n }, { low: lowest, high: top }]
    case JMP.JSLE: return isNegative
      ? [{ low: lowest, high: number }]
      : [{ low: 0n, high: number }, { low: lowest, high: top }]
    default: return []
  }
}
