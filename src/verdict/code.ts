import { wordsOf } from '../btf/words.js'
import { dataView } from '../bytes/checked.js'
import type { BpfObject } from '../core/object.js'
import { findFunction } from '../core/object.js'
import { POISON_IMM } from '../core/patch.js'
import { PATCH_SIZE, type Patches } from '../core/patches.js'
import { isProgramSection, type ElfFunction } from '../elf/functions.js'
import type { ElfSection } from '../elf/sections.js'
import { symbolIndices, symbolsOf, type ElfSymbol } from '../elf/symbols.js'
import { BPF_INSN, readInsn, type Insn } from '../insn/insn.js'
import { BPF_CALL, BPF_LD_IMM64, BPF_X, isJumpClass, isSubprogramCall } from '../insn/opcodes.js'
import { JMP } from './compare.js'
import { readFlow, type Flow, type Slots } from './flow.js'
import { createLastAhead } from './last-ahead.js'
import { liveRegisters } from './liveness.js'

/** The source register of calls and 64-bit loads, which says what the immediate means. */
export const PSEUDO = { CALL: 1, KFUNC_CALL: 2, MAP_VALUE: 2, FUNC: 4 } as const

/** A function's instructions, ready to be interpreted. */
export interface Code {
  readonly fn: ElfFunction
  /** The same for each name, by which what follows from the instructions can be kept. */
  readonly body: Body
}

/**
 * What all names of one function have in common. Nothing of it is read before it is asked for: much poison is met by the first
 * instructions of its function, or by none.
 */
export interface Body {
  /** The function's instruction slots. */
  readonly count: number
  readonly slots: Slots
  /** The instruction of a slot; undefined outside the function. Kept, for those who come again and again. */
  readonly insnAt: (index: number) => Insn | undefined
  /** The slots as the object came with them. */
  readonly original: () => Slots
  /** Whether an instruction refers to a symbol. To ask costs less than to read the symbol. */
  readonly hasSymbol: (index: number) => boolean
  /** The symbol that an instruction refers to. */
  readonly symbolAt: (index: number) => ElfSymbol | undefined
  readonly flow: () => Flow
  /**
   * Registers that are read later, a bit each, before each instruction that may lead to poison; poison reads what the instruction in its
   * place read.
   */
  readonly live: () => Uint16Array
}

/** A function that another one calls, or takes the address of. */
export interface Reference {
  readonly fn: ElfFunction
  readonly isCall: boolean
  /** Of the instruction that refers to it. */
  readonly index: number
}

/** The functions of an object with patched instructions. */
export interface Functions {
  /** Reads the function's instructions, when they are asked for: most functions of most objects have no poison anywhere near. */
  readonly codeOf: (fn: ElfFunction) => Code
  readonly hasPoison: (fn: ElfFunction) => boolean
  /** Indices of the function's poisoned instructions, ascending. */
  readonly poisonIn: (fn: ElfFunction) => readonly number[]
  /** Whether a function of `.text` is poisoned, so that it matters what is called. */
  readonly hasPoisonedSubprogram: () => boolean
  /** Whether the address of some function is taken, so that it may be called back. */
  readonly isAnyAddressed: () => boolean
  /** What the function refers to, poisoned calls included. */
  readonly references: (fn: ElfFunction) => readonly Reference[]
  /** The function of `.text` that a call or a function pointer means; undefined where there is none. */
  readonly callee: (code: Code, index: number) => ElfFunction | undefined
}

/** The same for all names of one function. */
export function placeOf ({ section, start, size }: ElfFunction): string { return `${section.index} ${start} ${size}` }

/** One of each function that has several names: the first. */
export function withoutAliases (functions: readonly ElfFunction[]): readonly ElfFunction[] {
  const seen = new Set<string>()
  return functions.filter(fn => seen.size < seen.add(placeOf(fn)).size)
}

export function isPoison (insn: Insn): boolean { return insn.code === BPF_CALL && insn.imm === POISON_IMM && insn.src === 0 }

export function isJump (insn: Insn): boolean {
  const operation = insn.code & 0xf0
  return isJumpClass(insn.code) && operation !== JMP.CALL && operation !== JMP.EXIT
}

export function isConditional (insn: Insn): boolean { return isJump(insn) && (insn.code & 0xf0) !== JMP.JA }

export function readFunctions (object: BpfObject, patches: Patches): Functions {
  const { elf } = object
  const symbols = symbolsOf(elf)
  const subprograms = elf.sections.find(section => section.name === '.text')
  /** Undefined where it has no function, as in most objects, so that nothing refers to one. */
  const text = elf.functions.some(({ section }) => section === subprograms) ? subprograms : undefined
  const poison = findPoison(object, patches)
  const indicesOf = symbolIndices(elf)
  const codes = new Map<ElfFunction, Code>()
  /** By place: a file has room for 60,000 names of one function. */
  const bodies = new Map<string, Body>()
  const { referred, live: keptLive } = factsOf(object)

  /** The symbol that the instruction at a byte offset of the function's section refers to. */
  const symbolAt = (fn: ElfFunction, offset: number): ElfSymbol | undefined => {
    const index = indicesOf(fn.section).get(offset)
    return index === undefined ? undefined : symbols.at(index)
  }
  const bodyOf = (fn: ElfFunction): Body => {
    const key = placeOf(fn)
    let body = bodies.get(key)
    if (body === undefined) {
      const count = Math.floor(fn.size / BPF_INSN.SIZE)
      const original = once(() => originalSlots(fn, count))
      const slots = patchedSlots(fn, count) ?? original()
      const flow = once(() => readFlow(slots))
      body = {
        count,
        slots,
        insnAt: instructionsOf(slots, count),
        original,
        hasSymbol: index => (indicesOf(fn.section).get(fn.start + index * BPF_INSN.SIZE) ?? symbols.count) < symbols.count,
        symbolAt: index => symbolAt(fn, fn.start + index * BPF_INSN.SIZE),
        flow,
        live: once(() => {
          const last = lastAhead(fn)
          const kept = keptLive.get(key)
          if (kept?.last === last && !replacesJump(fn)) return kept.live
          const found = liveRegisters(original(), flow(), last)
          if (!replacesJump(fn)) keptLive.set(key, { live: found, last })
          return found
        })
      }
      bodies.set(key, body)
    }
    return body
  }

  const originalSlots = ({ section, start }: ElfFunction, count: number): Slots => {
    const first = section.offset + start
    const bytes = elf.bytes.subarray(first, first + count * BPF_INSN.SIZE)
    return { bytes, view: dataView(bytes), littleEndian: elf.littleEndian }
  }

  /** Whether poison is in the place of a jump, which compilers do not relocate: then control flows otherwise than in the object. */
  const replacesJump = ({ section, start, size }: ElfFunction): boolean => {
    const first = section.offset + start
    const end = firstAtOrAfter(poison, first + size)
    for (let i = firstAtOrAfter(poison, first); i < end; i++) {
      const opcode = elf.bytes[poison[i] ?? 0] ?? 0
      if (isJumpClass(opcode) && opcode !== BPF_CALL) return true
    }
    return false
  }

  /** Undefined where nothing of the function is patched. */
  const patchedSlots = ({ section, start }: ElfFunction, count: number): Slots | undefined => {
    const first = section.offset + start
    const last = first + count * BPF_INSN.SIZE
    const end = firstAtOrAfter(patches.offsets, last)
    const begin = firstAtOrAfter(patches.offsets, first)
    if (begin === end) return undefined
    const bytes = new Uint8Array(elf.bytes.subarray(first, last)) // `slice` of a Buffer would not copy
    for (let i = begin; i < end; i++) {
      const at = patches.offsets[i] ?? 0
      if ((at - first) % BPF_INSN.SIZE !== 0) continue
      // A view of so few bytes costs more than to copy them.
      for (let b = 0; b < PATCH_SIZE; b++) bytes[at - first + b] = patches.after[i * PATCH_SIZE + b] ?? 0
    }
    return { bytes, view: dataView(bytes), littleEndian: elf.littleEndian }
  }

  const instructionsOf = ({ view, littleEndian }: Slots, count: number): Body['insnAt'] => {
    const read: Array<Insn | undefined> = []
    return index => {
      let insn = read[index]
      if (insn === undefined && index >= 0 && index < count) {
        if (read.length === 0) read.length = count
        insn = readInsn(view, index * BPF_INSN.SIZE, littleEndian)
        read[index] = insn
      }
      return insn
    }
  }

  const codeOf = (fn: ElfFunction): Code => {
    let code = codes.get(fn)
    if (code === undefined) codes.set(fn, code = { fn, body: bodyOf(fn) })
    return code
  }

  /** @param offset of the instruction, in bytes from the start of its section */
  const calleeAt = (text: ElfSection, offset: number, { code, imm }: Insn, symbol: ElfSymbol | undefined): ElfFunction | undefined => {
    const isLoad = code === BPF_LD_IMM64
    if (symbol === undefined ? isLoad : symbol.sectionIndex !== text.index) return undefined
    const start = symbol === undefined
      ? offset + (1 + imm) * BPF_INSN.SIZE
      : symbol.value + (isLoad ? imm : (imm + 1) * BPF_INSN.SIZE)
    const callee = findFunction(elf, text.index, start)
    return callee?.start === start ? callee : undefined
  }

  /** Whether an instruction refers to a symbol of another section than `.text`: cheaper than to read it. */
  const isElsewhere = (fn: ElfFunction, offset: number, textIndex: number): boolean => {
    const index = indicesOf(fn.section).get(offset)
    return index !== undefined && index < symbols.count && symbols.sectionOf(index) !== textIndex
  }

  const findReferences = (fn: ElfFunction): Reference[] => {
    const found: Reference[] = []
    if (text === undefined) return found
    const end = fn.section.offset + fn.start + fn.size
    for (let at = fn.section.offset + fn.start; at < end; at += BPF_INSN.SIZE) {
      const opcode = elf.bytes[at + BPF_INSN.code]
      if (opcode !== BPF_CALL && opcode !== BPF_LD_IMM64) continue
      // Most calls are of helpers, and most loads of maps: to read them as instructions costs more than to see that.
      const registers = elf.bytes[at + BPF_INSN.regs] ?? 0
      if (opcode === BPF_CALL && (elf.littleEndian ? registers >> 4 : registers & 0xf) !== PSEUDO.CALL) continue
      const offset = at - fn.section.offset
      if (isElsewhere(fn, offset, text.index)) continue
      const insn = readInsn(elf.view, at, elf.littleEndian)
      const callee = calleeAt(text, offset, insn, symbolAt(fn, offset))
      if (callee !== undefined) found.push({ fn: callee, isCall: opcode === BPF_CALL, index: (offset - fn.start) / BPF_INSN.SIZE })
    }
    return found
  }

  const hasPoison: Functions['hasPoison'] = ({ section: { offset }, start, size }) =>
    isAnyWithin(poison, offset + start, offset + start + size)

  const distinct = once(() => withoutAliases(elf.functions))

  const result: Functions = {
    codeOf,
    poisonIn ({ section, start, size }) {
      const found: number[] = []
      const first = section.offset + start
      const end = firstAtOrAfter(poison, first + size)
      for (let i = firstAtOrAfter(poison, first); i < end; i++) found.push(((poison[i] ?? 0) - first) / BPF_INSN.SIZE)
      return found
    },
    hasPoison,
    hasPoisonedSubprogram: once(() => elf.functions.some(fn => fn.section.name === '.text' && hasPoison(fn))),
    isAnyAddressed: once(() => distinct().some(fn => result.references(fn).some(({ isCall }) => !isCall))),
    references (fn) {
      const key = placeOf(fn)
      let found = referred.get(key)
      if (found === undefined) referred.set(key, found = findReferences(fn))
      return found
    },
    callee (code, index) {
      const offset = code.fn.start + index * BPF_INSN.SIZE
      if (text === undefined || isElsewhere(code.fn, offset, text.index)) return undefined
      const insn = code.body.insnAt(index)
      return insn === undefined ? undefined : calleeAt(text, offset, insn, code.body.symbolAt(index))
    }
  }
  const lastAhead = createLastAhead(result, distinct)
  return result
}

/** What follows from an object alone, which is judged for many kernels. By place of the function. */
interface Facts {
  readonly referred: Map<string, readonly Reference[]>
  /** For the last instruction that may lead to poison, which for most kernels is the same. */
  readonly live: Map<string, { readonly live: Uint16Array, readonly last: number }>
}

const facts = new WeakMap<BpfObject, Facts>()

function factsOf (object: BpfObject): Facts {
  let found = facts.get(object)
  if (found === undefined) facts.set(object, found = { referred: new Map(), live: new Map() })
  return found
}

/** A function that works its answer out when it is first asked. */
export function once<T> (make: () => T): () => T {
  let made: T | undefined
  return () => {
    if (made === undefined) made = make()
    return made
  }
}

/** Whether an instruction may refer to a function of the object. */
export function isReference (insn: Insn): boolean { return isSubprogramCall(insn) || insn.code === BPF_LD_IMM64 }

/**
 * Byte offsets in the file of poisoned instructions, ascending: those that the relocation poisoned, and those that the object came
 * with, as one that was relocated before does.
 */
function findPoison (object: BpfObject, { offsets, after }: Patches): Uint32Array {
  const { littleEndian } = object.elf
  const patched = dataView(after)
  const found = poisonOf(object).filter(offset => offsets[firstAtOrAfter(offsets, offset)] !== offset)
  for (let i = 0; i < offsets.length; i++) {
    const isLikely = patched.getInt32(i * PATCH_SIZE + BPF_INSN.imm, littleEndian) === POISON_IMM
    if (isLikely && isPoison(readInsn(patched, i * PATCH_SIZE, littleEndian))) found.push(offsets[i] ?? 0)
  }
  return Uint32Array.from(found).sort()
}

/** It follows from the object alone, which is judged for many kernels. */
const known = new WeakMap<BpfObject, readonly number[]>()

/** Byte offsets in the file of poison that the object came with. */
export function poisonOf (object: BpfObject): readonly number[] {
  let found = known.get(object)
  if (found === undefined) known.set(object, found = readPoison(object))
  return found
}

function readPoison ({ elf: { bytes, sections, view, littleEndian } }: BpfObject): number[] {
  const found: number[] = []
  for (const section of sections) {
    if (!isProgramSection(section)) continue
    const { offset, size } = section
    const words = wordsOf(bytes, offset, offset + size - size % BPF_INSN.SIZE, littleEndian)
    // Each slot has two words, of which the second is the immediate. To search them costs less than to read each slot.
    for (let word = words.indexOf(POISON_IMM); word >= 0; word = words.indexOf(POISON_IMM, word + 1)) {
      const at = offset + (word >> 1) * BPF_INSN.SIZE
      if ((word & 1) === 1 && isPoison(readInsn(view, at, littleEndian))) found.push(at)
    }
  }
  return found
}

function isAnyWithin (sorted: Uint32Array, start: number, end: number): boolean {
  return (sorted[firstAtOrAfter(sorted, start)] ?? end) < end
}

/** Index of the first of ascending numbers that is not below `from`. */
function firstAtOrAfter (sorted: Uint32Array, from: number, start = 0, end = sorted.length): number {
  let low = start
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? 0) < from) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether the second operand is a register. */
export function usesRegister (insn: Insn): boolean { return (insn.code & BPF_X) !== 0 }
