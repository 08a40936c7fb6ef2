import { kindOf, nameOf, referencedType, typeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import type { BpfObject } from '../core/object.js'
import type { ElfFunction } from '../elf/functions.js'
import { BPF_CALL } from '../insn/opcodes.js'
import type { Insn } from '../insn/insn.js'
import { isPoison, isReference, placeOf, withoutAliases, type Code, type Functions } from './code.js'
import { backwards } from './flow.js'
import { CALLBACKS } from './helpers.js'

/** Which functions belong to which program, as libbpf puts them together. */
export interface CallGraph {
  /** Functions that are loaded by themselves: all but those of `.text`, unless there is but one. */
  readonly programs: readonly ElfFunction[]
  /** The function, its exception callback, and all that they call or take the address of, directly or not. */
  readonly reachedFrom: (fn: ElfFunction) => ReadonlySet<ElfFunction>
  /** Whether one of those is poisoned. */
  readonly hasPoison: (fn: ElfFunction) => boolean
  /** Whether an instruction, as jumps are drawn, leads to poison within its function or in one that is called on the way. */
  readonly isPoisonAhead: (code: Code, index: number) => boolean
  /** The function that a declaration tag names as the program's exception callback. */
  readonly exceptionCallback: (fn: ElfFunction) => Code | undefined
}

export function callGraph (object: BpfObject, functions: Functions): CallGraph {
  const { elf: { functions: all } } = object
  const programs = all.filter(({ section }) => section.name !== '.text' || all.length === 1)
  const closures = new Map<string, ReadonlySet<ElfFunction>>()
  const ahead = new Map<Code['insns'], Uint8Array>()
  let asked: { readonly insns: Code['insns'], readonly flags: Uint8Array } = { insns: [], flags: new Uint8Array() }
  let exceptions: ReadonlyMap<string, ElfFunction> | undefined

  const exceptionCallback = (fn: ElfFunction): ElfFunction | undefined => {
    exceptions ??= exceptionCallbacks(object)
    return exceptions.get(fn.name)
  }
  const referredFrom = (fn: ElfFunction): ReadonlySet<ElfFunction> => {
    const references = functions.references(fn)
    if (references.length === 0) return new Set([fn])
    const key = placeOf(fn)
    let callees = closures.get(key)
    if (callees === undefined) {
      const found = new Set(references.map(reference => reference.fn))
      for (const member of found) for (const reference of functions.references(member)) found.add(reference.fn)
      closures.set(key, callees = found)
    }
    return new Set([fn, ...callees])
  }
  /** libbpf loads the exception callback with its program, which need not refer to it. */
  const reachedFrom = (fn: ElfFunction): ReadonlySet<ElfFunction> => {
    const callback = exceptionCallback(fn)
    return callback === undefined ? referredFrom(fn) : new Set([...referredFrom(fn), ...referredFrom(callback)])
  }
  const poisoned = new Map<ElfFunction, boolean>()
  const hasPoison = (fn: ElfFunction): boolean => {
    let answer = poisoned.get(fn)
    if (answer === undefined) poisoned.set(fn, answer = functions.hasPoison(fn) || [...reachedFrom(fn)].some(functions.hasPoison))
    return answer
  }
  let poisonedCallback: boolean | undefined
  const hasPoisonedCallback = (): boolean => {
    poisonedCallback ??= withoutAliases(all).some(fn =>
      functions.references(fn).some(reference => !reference.isCall && hasPoison(reference.fn)))
    return poisonedCallback
  }

  return {
    programs,
    reachedFrom,
    hasPoison,
    isPoisonAhead: (code, index) => {
      if (code.insns === asked.insns) return asked.flags[index] === 1 // it is asked of each step
      let flags = ahead.get(code.insns)
      if (flags === undefined) {
        flags = poisonAhead(code, functions, hasPoison, hasPoisonedCallback)
        ahead.set(code.insns, flags)
      }
      asked = { insns: code.insns, flags }
      return flags[index] === 1
    },
    exceptionCallback: fn => {
      const callback = exceptionCallback(fn)
      return callback === undefined ? undefined : functions.codeOf(callback)
    }
  }
}

function poisonAhead (
  code: Code, functions: Functions, hasPoison: (fn: ElfFunction) => boolean, hasPoisonedCallback: () => boolean
): Uint8Array {
  const { insns, flow } = code
  const { next, jump } = flow
  const flags = new Uint8Array(insns.length + 1)
  insns.forEach((insn, i) => {
    if (insn.code !== BPF_CALL && !isReference(insn)) return
    const callee = isReference(insn) ? functions.callee(code, i) : undefined
    if (isPoison(insn) || (callee === undefined ? callsBack(insn) && hasPoisonedCallback() : hasPoison(callee))) flags[i] = 1
  })
  const isSettled = backwards(flow, i => {
    if (flags[i] === 1 || (flags[next[i] ?? 0] !== 1 && flags[jump[i] ?? 0] !== 1)) return false
    flags[i] = 1
    return true
  })
  return isSettled ? flags : flags.fill(1)
}

/** Whether a function of the object may be called by it: a helper that calls back, or a kernel function. */
function callsBack (insn: Insn): boolean {
  return insn.code === BPF_CALL && (insn.src !== 0 || CALLBACKS.has(insn.imm))
}

const EXCEPTION_TAG = 'exception_callback:'

/** By name of the program. */
function exceptionCallbacks ({ btf, elf }: BpfObject): ReadonlyMap<string, ElfFunction> {
  const callbacks = new Map<string, ElfFunction>()
  const byName = new Map(elf.functions.map(fn => [fn.name, fn]))
  for (let i = btf.startId; i < btf.endId; i++) {
    const id = typeId(i)
    if (kindOf(btf, id) !== BtfKind.DECL_TAG || !nameOf(btf, id).startsWith(EXCEPTION_TAG)) continue
    const callback = byName.get(nameOf(btf, id).slice(EXCEPTION_TAG.length))
    if (callback !== undefined) callbacks.set(nameOf(btf, referencedType(btf, id)), callback)
  }
  return callbacks
}
