import { isEnum, kindOf, nameOf, paramType, referencedType, typeId, vlenOf, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { plainType } from '../btf/resolve.js'
import type { BpfObject } from '../core/object.js'
import type { ElfFunction } from '../elf/functions.js'
import type { Code } from './code.js'
import { UNKNOWN } from './scalar.js'
import { newStack } from './stack.js'
import { newContext, type State } from './state.js'
import { pointerOf, UNCLEAR, type OtherPointer, type Value } from './value.js'

/** Sections whose programs get pointers to structures of the kernel with their context. */
const DEEP = /^\??(tp_btf|fentry|fexit|fmod_ret|fsession|lsm|iter|struct_ops|freplace)/

/** Programs whose return value or context have a range that newer verifiers know. */
const EXTENSION = /^\??freplace/

/** Programs that trace, which get no pointer to a packet. */
const PROBE = /^\??([ku](ret)?probe|k(ret)?syscall|usdt|perf_event)\b/
const TRACING = /^\??(tp|tracepoint|raw_tp|raw_tracepoint|tp_btf|fentry|fexit|fmod_ret|lsm|iter)\b/

/** Whether a program may have pointers to a packet, of which verifiers learn how much of it is there where they compare two. */
export function mayHavePackets ({ section: { name } }: ElfFunction): boolean { return !PROBE.test(name) && !TRACING.test(name) }

/** How a function is entered that the verifier starts with. */
export type EntryKind = 'program' | 'global' | 'callback'

export function entryState (object: BpfObject, code: Code, kind: EntryKind, doubt: string | null): State {
  const registers = new Array<Value | undefined>(10).fill(undefined)
  if (kind === 'program' && !EXTENSION.test(code.fn.section.name)) {
    registers[1] = pointerOf('unclear', true, DEEP.test(code.fn.section.name))
  } else if (kind === 'callback') {
    registers[1] = UNKNOWN
  } else {
    globalArguments(object, code).forEach((value, i) => { registers[i + 1] = value })
  }
  return {
    frames: [{
      context: newContext(code, undefined), code, registers, stack: newStack(), isStackShared: false, returnTo: 0, callback: undefined
    }],
    pc: 0,
    doubt,
    compared: false,
    rests: []
  }
}

/** What the verifier passes to a function that it verifies by itself: unknown numbers, and pointers that can be anything. */
function globalArguments (object: BpfObject, code: Code): readonly Value[] {
  const { btf } = object
  const prototype = prototypeOf(btf, code.fn.name)
  return Array.from({ length: 5 }, (_, i): Value => {
    if (prototype === undefined || i >= vlenOf(btf, prototype)) return pointer
    return isNumber(btf, paramType(btf, prototype, i)) ? UNKNOWN : pointer
  })
}

const pointer: OtherPointer = UNCLEAR

function prototypeOf (btf: Btf, name: string): TypeId | undefined {
  for (let i = btf.startId; i < btf.endId; i++) {
    const id = typeId(i)
    if (kindOf(btf, id) !== BtfKind.FUNC || nameOf(btf, id) !== name) continue
    const prototype = referencedType(btf, id)
    return kindOf(btf, prototype) === BtfKind.FUNC_PROTO ? prototype : undefined
  }
  return undefined
}

function isNumber (btf: Btf, id: TypeId): boolean {
  const kind = kindOf(btf, plainType(btf, id))
  return kind === BtfKind.INT || isEnum(kind)
}
