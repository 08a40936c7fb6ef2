import { BtfKind } from '../../btf/constants.js'
import {
  isEmptyString, isEnum, kindOf, memberBitfieldSize, memberType, nameOffsetOf, referencedType, sizeWordOf, type Btf, type TypeId
} from '../../btf/btf.js'
import { strip } from '../../btf/resolve.js'
import { shownName, shownText } from '../../btf/shown-text.js'
import { describeType } from '../../core/describe.js'
import type { Spec } from '../../core/spec.js'
import { declaration, isCompositeType } from '../c-text.js'
import type { ReportSuggestion } from '../../wire/report.js'
import type { ReasonContext } from './context.js'
import { pathText, type Path } from '../../members/paths.js'

/**
 * C that a programmer can paste: at file scope where it defines a function, inside one where it starts with `if`. It needs what
 * every CO-RE program includes (bpf_helpers.h, bpf_core_read.h), and the types that the program has already.
 */

/** The flavour of our own structs. */
const FLAVOR = '___new'
/** How compilers spell integers. Others, such as those of Rust's kernel code, C does not know. */
const C_INTEGER = /^(?:(?:unsigned|signed|char|short|int|long|_Bool)(?: |$))+$/

/** Bytes of an enum whose one enumerator is 0. */
const C_ENUM_BYTES = 4

/** The access without its root: `i_atime.tv_sec`, `comm[3]`. */
export function accessPath (local: Spec): string {
  return local.accessors
    .map(({ name, index }, i) => name === undefined ? (i === 0 ? '' : `[${index}]`) : `.${shownText(local.btf, name)}`)
    .join('').replace(/^\./, '')
}

export function guardField (local: Spec): ReportSuggestion {
  const type = describeType(local.btf, local.rootId)
  const path = accessPath(local)
  return {
    text: `Read ${path} only where the kernel has it:`,
    code: `if (bpf_core_field_exists(${type}, ${path})) {\n\t/* read ${path} here */\n}`
  }
}

export function guardType (local: Spec): ReportSuggestion {
  const type = describeType(local.btf, local.rootId)
  return { text: `Use ${type} only where the kernel has it:`, code: `if (bpf_core_type_exists(${type})) {\n\t/* use ${type} here */\n}` }
}

export function guardEnumerator (local: Spec, name: string): ReportSuggestion {
  const type = describeType(local.btf, local.rootId)
  return {
    text: `Use ${name} only where the kernel has it:`,
    code: `if (bpf_core_enum_value_exists(${type}, ${name})) {\n\t/* use bpf_core_enum_value(${type}, ${name}) here */\n}`
  }
}

/** A function that reads one of the enumerators that the kernel has instead. */
export function otherEnumerator (local: Spec, missing: string, present: string, { names }: Pick<ReasonContext, 'names'>): ReportSuggestion {
  const type = describeType(local.btf, local.rootId)
  const other = `enum ${names.take(`${describeType(local.btf, local.rootId, true).replace(/^enum /, '')}${FLAVOR}`)}`
  const value = names.take(`${present}${FLAVOR}`)
  return {
    text: `Use ${present} where the kernel has that instead:`,
    code: [
      `${other} { ${value} = 0 };`,
      '',
      `static __always_inline long ${names.takeFunction(local)}(void)`,
      '{',
      `\tif (bpf_core_enum_value_exists(${other}, ${value}))`,
      `\t\treturn bpf_core_enum_value(${other}, ${value});`,
      `\treturn bpf_core_enum_value(${type}, ${missing});`,
      '}'
    ].join('\n')
  }
}

/**
 * A read at the width and place that the field has in the kernel, whatever they are. Undefined for an element of an array, which has
 * no sign in CO-RE.
 */
export function readAtAnySize (local: Spec, { names }: Pick<ReasonContext, 'names'>): ReportSuggestion | undefined {
  if (local.accessors.at(-1)?.name === undefined) return undefined
  const type = describeType(local.btf, local.rootId)
  const path = accessPath(local)
  return {
    text: `Read ${path} at the size and bits that it has in the kernel:`,
    code: [
      `static __always_inline unsigned long long ${names.takeFunction(local)}(${type} *p)`,
      '{',
      `\treturn BPF_CORE_READ_BITFIELD_PROBED(p, ${path});`,
      '}'
    ].join('\n')
  }
}

/**
 * A function that reads the field where it is in this kernel, and where the program expects it in others. Undefined where one
 * of them is no number or pointer.
 */
export function readElsewhere (
  local: Spec,
  target: Btf,
  root: TypeId,
  path: Path,
  context: Pick<ReasonContext, 'names' | 'work'>
): ReportSuggestion | undefined {
  const { work } = context
  const result = resultType(local, work)
  if (result === undefined) return undefined
  const last = path.at(-1)
  if (last === undefined || isPointerType(target, last.type, work) !== result.isPointer) return undefined
  const structs = flavors(local, target, root, path, context)
  if (structs === undefined) return undefined
  const type = describeType(local.btf, local.rootId)
  const isBitfield = memberBitfieldSize(target, last.composite, last.index) > 0
  const there = pathText(path)
  const here = accessPath(local)
  return {
    text: there === here
      ? `Read ${there} by a flavour of its own where a type of the kernel has it, and as before where none has:`
      : `Read ${there} where the kernel has that, and ${here} where it does not:`,
    code: [
      ...structs.definitions,
      '',
      `static __always_inline ${result.type}${context.names.takeFunction(local)}(${type} *p)`,
      '{',
      `\t${structs.root} *other = (void *)p;`,
      '',
      `\tif (bpf_core_field_exists(${structs.last}, ${structs.lastPath}))`,
      `\t\treturn ${isBitfield ? 'BPF_CORE_READ_BITFIELD_PROBED' : 'BPF_CORE_READ'}(other, ${there.replaceAll('->', ', ')});`,
      `\treturn ${result.isBitfield ? 'BPF_CORE_READ_BITFIELD_PROBED' : 'BPF_CORE_READ'}(p, ${here});`,
      '}'
    ].join('\n')
  }
}

/** What a read of the local field gives. */
function resultType (
  local: Spec,
  work: ReasonContext['work']
): { readonly type: string, readonly isPointer: boolean, readonly isBitfield: boolean } | undefined {
  const last = local.accessors.at(-1)
  if (last === undefined) return undefined
  const { btf } = local
  if (last.name !== undefined && memberBitfieldSize(btf, last.typeId, last.index) > 0) {
    return { type: 'unsigned long long ', isPointer: false, isBitfield: true }
  }
  const id = last.name === undefined ? last.typeId : memberType(btf, last.typeId, last.index)
  const kind = kindOf(btf, strip(btf, id, work))
  if (kind === BtfKind.INT) {
    return { type: `${declaration(btf, id).replace(/\b(const|volatile) /g, '')} `, isPointer: false, isBitfield: false }
  }
  if (isEnum(kind)) return { type: enumType(btf, strip(btf, id, work)), isPointer: false, isBitfield: false }
  return kind === BtfKind.PTR ? { type: pointerTo(btf, strip(btf, id, work), ''), isPointer: true, isBitfield: false } : undefined
}

function enumType (btf: Btf, id: TypeId): string {
  return isEmptyString(btf, nameOffsetOf(btf, id)) ? 'unsigned int ' : `${describeType(btf, id)} `
}

interface Flavors {
  /** Innermost first. */
  readonly definitions: readonly string[]
  readonly root: string
  /** The struct that the last pointer of the path leads to, and the path from there. */
  readonly last: string
  readonly lastPath: string
}

/** Structs with nothing but the path in them, of which CO-RE finds the rest. */
function flavors (
  local: Spec,
  target: Btf,
  root: TypeId,
  path: Path,
  { work, names }: Pick<ReasonContext, 'names' | 'work'>
): Flavors | undefined {
  const definitions: string[] = []
  const [last] = path.slice(-1)
  let inner = last === undefined ? undefined : fieldDeclaration(target, last.type, last.name, { work, names })
  let lastStruct: string | undefined
  let rootStruct = ''
  for (let i = path.length - 1; i >= 0 && inner !== undefined; i--) {
    const step = path[i]
    const before = path[i - 1]
    if (step === undefined) return undefined
    // What holds the step: the root, what a pointer leads to, or a nested struct, whose members C may spell in place.
    const holder = before === undefined ? strip(target, root, work) : nestedType(target, before.type, step.isPointer, work)
    if (!isCompositeType(target, holder)) return undefined
    const keyword = kindOf(target, holder) === BtfKind.UNION ? 'union' : 'struct'
    if (before !== undefined && !step.isPointer) {
      inner = `${keyword} { ${inner} } ${before.name};`
      continue
    }
    const name = before === undefined ? rootFlavor(local, names) : flavorName(target, holder, keyword, names)
    if (name === undefined) return undefined
    const isTypedef = before === undefined && kindOf(local.btf, local.rootId) === BtfKind.TYPEDEF
    definitions.push(isTypedef
      ? `typedef ${keyword} { ${inner} } __attribute__((preserve_access_index)) ${name};`
      : `${name} { ${inner} } __attribute__((preserve_access_index));`)
    lastStruct ??= name
    rootStruct = name
    if (before !== undefined) inner = `${name} *${before.name};`
  }
  const pointers = path.map(({ isPointer }) => isPointer)
  const lastSteps = path.slice(Math.max(0, pointers.lastIndexOf(true)))
  const lastPath = pathText(lastSteps.map((step, i) => i === 0 ? { ...step, isPointer: false } : step))
  return inner === undefined || lastStruct === undefined ? undefined : { definitions, root: rootStruct, last: lastStruct, lastPath }
}

function nestedType (btf: Btf, id: TypeId, isPointer: boolean, work: ReasonContext['work']): TypeId {
  const stripped = strip(btf, id, work)
  return isPointer ? strip(btf, referencedType(btf, stripped), work) : stripped
}

/** The program's own name for the root, in our flavour. A typedef of a struct without a name has none of its own. */
function rootFlavor (local: Spec, names: ReasonContext['names']): string {
  const [, keyword = '', name = ''] = /^((?:struct|union) )?(.*)$/.exec(describeType(local.btf, local.rootId, true)) ?? []
  return `${keyword}${names.take(`${name}${FLAVOR}`)}`
}

function flavorName (btf: Btf, id: TypeId, keyword: string, names: ReasonContext['names']): string | undefined {
  return isEmptyString(btf, nameOffsetOf(btf, id)) ? undefined : `${keyword} ${names.take(`${shownName(btf, id)}${FLAVOR}`)}`
}

/** A number or pointer as a member, without typedefs that the program may not have. */
function fieldDeclaration (
  btf: Btf, id: TypeId, name: string, { work, names }: Pick<ReasonContext, 'names' | 'work'>
): string | undefined {
  const stripped = strip(btf, id, work)
  if (kindOf(btf, stripped) === BtfKind.PTR) return `${pointerTo(btf, stripped, name)};`
  // CO-RE takes an enum without a name for any, so that the program need not have the kernel's.
  if (isEnum(kindOf(btf, stripped)) && sizeWordOf(btf, stripped) === C_ENUM_BYTES) {
    return `enum { ${names.take(`${name}${FLAVOR}`)} } ${name};`
  }
  if (kindOf(btf, stripped) !== BtfKind.INT || !C_INTEGER.test(shownName(btf, stripped))) return undefined
  return `${shownName(btf, stripped)} ${name};`
}

function pointerTo (btf: Btf, pointer: TypeId, name: string): string {
  const pointee = referencedType(btf, pointer)
  return isCompositeType(btf, pointee) && !isEmptyString(btf, nameOffsetOf(btf, pointee))
    ? `${describeType(btf, pointee)} *${name}`
    : `void *${name}`
}

function isPointerType (btf: Btf, id: TypeId, work: ReasonContext['work']): boolean {
  return kindOf(btf, strip(btf, id, work)) === BtfKind.PTR
}
