import {
  arrayElement, arrayLength, enumeratorNameOffset, enumeratorValue, isComposite, isEnum, kindFlagOf, kindName, kindOf,
  memberBitfieldSize, memberBitOffset, memberNameOffset, memberType, nameOf, nameOffsetOf, paramNameOffset, paramType, referencedType,
  sizeWordOf, textOf, vlenOf, VOID_TYPE, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { resolveSize } from '../btf/resolve.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { tooDeep, type Alignments } from './alignment.js'
import { signedValue } from './enumerators.js'
import { paddingOf } from './padding.js'
import type { TextWriter } from './text-writer.js'
import type { UniqueNames } from './unique-names.js'

export interface DeclarationsOptions {
  readonly btf: Btf
  readonly out: TextWriter
  readonly names: UniqueNames
  readonly alignments: Alignments
  /** What to write behind a member, from its place in the outermost struct in bits, and its width where it is a bitfield. */
  readonly remark?: (bits: number, bitfieldSize: number) => string
  /** Whether structs, unions and enumerations without a name are written without their members. */
  readonly isShort?: boolean
  /** Whether names of parameters and type tags are left out. */
  readonly isPlain?: boolean
}

/** Writes types as C, as libbpf's btf_dump does, to the character. None ends its declaration with a semicolon. */
export interface Declarations {
  /** `struct task_struct { … }`. */
  struct(id: TypeId): void
  /** `struct task_struct`: what a pointer to one needs. */
  structName(id: TypeId): void
  /** `enum pid_type { … }`. */
  enum(id: TypeId): void
  /** `struct x`, of which the BTF has no more. */
  forward(id: TypeId): void
  /** `typedef int pid_t`. */
  typedef(id: TypeId): void
  /** `const char *name`; without a name the type alone. */
  declare(id: TypeId, name: string): void
}

/** Where a declaration is written. */
interface Place {
  /** Tabs before its members. */
  readonly level: number
  /** From the start of the outermost struct, in bits. */
  readonly base: number
}

const TOP: Place = { level: 0, base: 0 }

export function createDeclarations (options: DeclarationsOptions): Declarations {
  const { btf, names, alignments, remark = () => '', isShort = false, isPlain = false } = options
  const { write } = options.out
  let depth = 0

  /** Runs what goes one level down into the types. */
  const nested = (id: TypeId, run: () => void): void => {
    if (++depth > LIMITS.cNesting) throw tooDeep(id)
    run()
    depth--
  }

  const structName = (id: TypeId): void => {
    write(`${kindOf(btf, id) === BtfKind.STRUCT ? 'struct' : 'union'}${nameOffsetOf(btf, id) === 0 ? '' : ' '}${names.tagOf(id)}`)
  }

  const forward = (id: TypeId): void => { write(`${kindFlagOf(btf, id) ? 'union' : 'struct'} ${names.tagOf(id)}`) }

  const struct = (id: TypeId, { level, base }: Place): void => {
    const isStruct = kindOf(btf, id) === BtfKind.STRUCT
    const isPacked = isStruct && alignments.isPacked(id)
    const count = vlenOf(btf, id)
    const inside = '\t'.repeat(level + 1)
    const pad = (from: number, to: number, alignment: number, isInBitfield: boolean): void => {
      for (const line of paddingOf({ from, to, alignment, isInBitfield }, btf.pointerSize)) write(`\n${inside}${line};`)
    }
    structName(id)
    write(' {')
    let end = 0
    let wasBitfield = false
    for (let i = 0; i < count; i++) {
      const type = memberType(btf, id, i)
      const bits = memberBitOffset(btf, id, i)
      const width = memberBitfieldSize(btf, id, i)
      pad(end, bits, isPacked ? 1 : alignments.of(type), wasBitfield && width !== 0)
      write(`\n${inside}`)
      declaration(type, textOf(btf, memberNameOffset(btf, id, i)), { level: level + 1, base: base + bits })
      if (width !== 0) write(`: ${width}`)
      end = bits + (width !== 0 ? width : Math.max(0, resolveSize(btf, type)) * 8)
      wasBitfield = width !== 0
      write(`;${remark(base + bits, width)}`)
    }
    if (isStruct) pad(end, sizeWordOf(btf, id) * 8, alignments.of(id), false)
    write(count > 0 || sizeWordOf(btf, id) > 0 ? `\n${'\t'.repeat(level)}}` : '}')
    if (isPacked) write(' __attribute__((packed))')
  }

  const enumeration = (id: TypeId, level: number): void => {
    const count = vlenOf(btf, id)
    write(`enum${nameOffsetOf(btf, id) === 0 ? '' : ' '}${names.tagOf(id)}`)
    if (count === 0) return
    write(' {')
    for (let i = 0; i < count; i++) {
      const name = names.enumerator(textOf(btf, enumeratorNameOffset(btf, id, i)))
      write(`\n${'\t'.repeat(level + 1)}${name} = ${enumeratorText(id, i)},`)
    }
    write(`\n${'\t'.repeat(level)}}`)
    if (sizeWordOf(btf, id) === 1) write(' __attribute__((mode(byte)))')
    else if (sizeWordOf(btf, id) === 8 && btf.pointerSize === 8 && fitsInInt(id)) write(' __attribute__((mode(word)))')
  }

  const enumeratorText = (id: TypeId, index: number): string => {
    const suffix = kindOf(btf, id) === BtfKind.ENUM ? '' : kindFlagOf(btf, id) ? 'LL' : 'ULL'
    return `${signedValue(btf, id, index)}${suffix}`
  }

  /** Whether C would make an int of an enumeration that has eight bytes. */
  const fitsInInt = (id: TypeId): boolean => {
    if (kindOf(btf, id) === BtfKind.ENUM) return true
    for (let i = 0; i < vlenOf(btf, id); i++) if (enumeratorValue(btf, id, i) >> 32n !== 0n) return false
    return true
  }

  /** The types from the declared one to the innermost, which C writes first. */
  const chainOf = (id: TypeId): TypeId[] => {
    const chain: TypeId[] = []
    for (let current = id; ;) {
      chain.push(current)
      if (chain.length > LIMITS.cNesting) throw tooDeep(id)
      const kind = kindOf(btf, current)
      if (kind === BtfKind.ARRAY) current = arrayElement(btf, current)
      else if (isWrapper(kind)) current = referencedType(btf, current)
      else return chain
    }
  }

  /** A type with a name in its place: `int (*name)(void)`. */
  const declaration = (id: TypeId, name: string, place: Place): void => {
    nested(id, () => { writeChain(chainOf(id), name, place) })
  }

  const writeQualifiers = (chain: TypeId[]): void => {
    for (let qualifier = QUALIFIERS[kindOfLast(chain)]; qualifier !== undefined; qualifier = QUALIFIERS[kindOfLast(chain)]) {
      write(`${qualifier} `)
      chain.pop()
    }
  }
  /** Compilers repeat an element's qualifiers on its array; gcc marks what does not return as volatile. C has neither. */
  const dropQualifiers = (chain: TypeId[]): void => {
    while (kindOfLast(chain) === BtfKind.TYPE_TAG || QUALIFIERS[kindOfLast(chain)] !== undefined) chain.pop()
  }
  const kindOfLast = (chain: readonly TypeId[]): number => {
    const last = chain.at(-1)
    return last === undefined ? -1 : kindOf(btf, last)
  }

  const writeChain = (chain: TypeId[], name: string, place: Place): void => {
    let wasPointer = true
    const writeName = (): void => { write(`${name !== '' && !wasPointer ? ' ' : ''}${name}`) }
    for (let id = chain.pop(); id !== undefined; id = chain.pop()) {
      const kind = kindOf(btf, id)
      if (isPlain && kind === BtfKind.TYPE_TAG) continue
      if (kind === BtfKind.ARRAY) {
        dropQualifiers(chain)
        if (chain.length === 0) writeName()
        else writeInParentheses(chain, name, place, kindOfLast(chain) !== BtfKind.ARRAY, name !== '' && !wasPointer)
        write(`[${arrayLength(btf, id)}]`)
        return
      }
      if (kind === BtfKind.FUNC_PROTO) {
        dropQualifiers(chain)
        if (chain.length === 0) writeName()
        else writeInParentheses(chain, name, place, true, true)
        writeParameters(id, place)
        return
      }
      writeLink(id, kind, chain, wasPointer, place)
      wasPointer = kind === BtfKind.PTR
    }
    writeName()
  }

  const writeInParentheses = (chain: TypeId[], name: string, place: Place, isNeeded: boolean, isApart: boolean): void => {
    if (isApart) write(' ')
    if (isNeeded) write('(')
    writeChain(chain, name, place)
    if (isNeeded) write(')')
  }

  const writeLink = (id: TypeId, kind: number, chain: TypeId[], wasPointer: boolean, place: Place): void => {
    const qualifier = QUALIFIERS[kind]
    if (kind === BtfKind.PTR) write(wasPointer ? '*' : ' *')
    else if (qualifier !== undefined) write(` ${qualifier}`)
    else {
      writeQualifiers(chain)
      writeInnermost(id, kind, place)
    }
  }

  const writeInnermost = (id: TypeId, kind: number, place: Place): void => {
    const isInline = nameOffsetOf(btf, id) === 0 && !isShort
    if (id === VOID_TYPE) write('void')
    else if (kind === BtfKind.INT || kind === BtfKind.FLOAT) write(nameOf(btf, id))
    else if (kind === BtfKind.TYPEDEF) write(names.identifierOf(id))
    else if (kind === BtfKind.FWD) forward(id)
    else if (kind === BtfKind.TYPE_TAG) write(` __attribute__((btf_type_tag("${nameOf(btf, id)}")))`)
    else if (isComposite(kind)) {
      if (isInline) nested(id, () => { struct(id, place) })
      else structName(id)
    } else if (isEnum(kind)) {
      if (isInline) enumeration(id, place.level)
      else write(`enum ${names.tagOf(id)}`.trimEnd())
    } else {
      throw new AppError('btf_invalid', `Type ${id} is a ${kindName(kind)}, which C has no declaration for.`, { type_id: id })
    }
  }

  const writeParameters = (id: TypeId, place: Place): void => {
    const count = vlenOf(btf, id)
    write('(')
    if (count === 0 || (count === 1 && paramType(btf, id, 0) === VOID_TYPE)) write('void')
    else {
      for (let i = 0; i < count; i++) {
        const type = paramType(btf, id, i)
        if (i > 0) write(', ')
        if (i === count - 1 && type === VOID_TYPE) write('...')
        else declaration(type, isPlain ? '' : textOf(btf, paramNameOffset(btf, id, i)), place)
      }
    }
    write(')')
  }

  return {
    declare: (id, name) => { declaration(id, name, TOP) },
    struct: id => { struct(id, TOP) },
    structName,
    enum: id => { enumeration(id, 0) },
    forward,
    typedef (id) {
      const name = names.identifierOf(id)
      const type = referencedType(btf, id)
      // Old gcc wrote this one as a typedef of void.
      if (type === VOID_TYPE && name === '__gnuc_va_list') return write('typedef __builtin_va_list __gnuc_va_list')
      write('typedef ')
      declaration(type, name, TOP)
    }
  }
}

const QUALIFIERS: Readonly<Record<number, string>> = {
  [BtfKind.VOLATILE]: 'volatile', [BtfKind.CONST]: 'const', [BtfKind.RESTRICT]: 'restrict'
}

/** Kinds that C writes around the type that they refer to. */
function isWrapper (kind: number): boolean {
  return kind === BtfKind.PTR || kind === BtfKind.FUNC_PROTO || kind === BtfKind.TYPE_TAG || QUALIFIERS[kind] !== undefined
}
