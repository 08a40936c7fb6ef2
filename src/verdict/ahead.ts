import type { ElfFunction } from '../elf/functions.js'
import { BPF_CALL } from '../insn/opcodes.js'
import { isReference, type Body, type Code, type Functions } from './code.js'
import { firstBefore, passBackwards, type Flow } from './flow.js'
import { mayCallBack } from './helpers.js'

/** Whether an instruction, as jumps are drawn, leads to poison within its function or in one that is called on the way. */
export interface IsAhead {
  (code: Code, index: number): boolean
  /** About how many instructions lead there; 0 where none does. */
  readonly distance: (code: Code, index: number) => number
}

/** The poison that is asked for. */
export interface Wanted {
  readonly isWanted: (code: Code, index: number) => boolean
  /** Whether there is some in the function, or in those that it calls or takes the address of. */
  readonly hasWanted: (fn: ElfFunction) => boolean
  /** Whether there is some in a function that may be called back. */
  readonly isCalledBack: () => boolean
}

/** Looks at a function when it is first asked about it. */
export function createAhead (functions: Functions, wanted: Wanted): IsAhead {
  const ahead = new Map<Body, Int32Array>()
  let asked: Body | undefined
  let distances: Int32Array = new Int32Array()
  const distance = (code: Code, index: number): number => {
    if (code.body !== asked) {
      asked = code.body
      let known = ahead.get(asked)
      if (known === undefined) ahead.set(asked, known = distancesOf(code, functions, wanted))
      distances = known
    }
    return distances[index] ?? 0
  }
  return Object.assign((code: Code, index: number) => distance(code, index) > 0, { distance })
}

function distancesOf (code: Code, functions: Functions, wanted: Wanted): Int32Array {
  const { body } = code
  const flow = body.flow()
  const distances = new Int32Array(body.count + 1)
  let last = -1
  for (const index of endsOf(code, functions, wanted)) {
    distances[index] = 1
    last = Math.max(last, index)
  }
  const isSettled = passBackwards(flow, (from, to) => update(distances, flow, from, to), last)
  return isSettled ? distances : distances.fill(1)
}

/** Instructions of a function that are asked for, or that lead out of it to some that are. */
function endsOf (code: Code, functions: Functions, wanted: Wanted): number[] {
  const poison = functions.poisonIn(code.fn).filter(index => wanted.isWanted(code, index))
  if (!functions.hasPoisonedSubprogram()) return poison
  const references = functions.isAnyAddressed() ? code.body.flow().references : functions.references(code.fn).map(({ index }) => index)
  return [...poison, ...references.filter(index => leadsThere(code, index, functions, wanted))]
}

/** Whether a call, or a load of an address, leads to a function with what is asked for. */
function leadsThere (code: Code, index: number, functions: Functions, { hasWanted, isCalledBack }: Wanted): boolean {
  const insn = code.body.insnAt(index)
  if (insn === undefined) return false
  const callee = isReference(insn) ? functions.callee(code, index) : undefined
  return callee === undefined ? insn.code === BPF_CALL && mayCallBack(insn) && isCalledBack() : hasWanted(callee)
}

/** What is found first stays, so that loops need no further passes. */
function update (distances: Int32Array, flow: Flow, from: number, last: number): number {
  const { next, jump } = flow
  let first = from
  let i = last
  for (; i >= first; i--) {
    if (distances[i] !== 0) continue
    const afterNext = distances[next[i] ?? 0] ?? 0
    const afterJump = distances[jump[i] ?? 0] ?? 0
    if (afterNext === 0 && afterJump === 0) continue
    distances[i] = 1 + (afterNext === 0 || (afterJump !== 0 && afterJump < afterNext) ? afterJump : afterNext)
    if (first > 0) first = Math.min(first, firstBefore(flow, i))
  }
  return last - i
}
