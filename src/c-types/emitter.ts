import {
  arrayElement, isComposite, kindOf, memberType, nameOf, nameOffsetOf, paramType, referencedType, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { newWork, step } from '../btf/work.js'
import { LIMITS } from '../limits.js'
import { createAlignments, tooDeep } from './alignment.js'
import { createDeclarations } from './declarations.js'
import type { TextWriter } from './text-writer.js'
import { createUniqueNames } from './unique-names.js'

/** Writes definitions, each once, with the forward declarations that they need before them: as libbpf's btf_dump_emit_type. */
export interface Emitter {
  emit(id: TypeId): void
}

const EMITTING = 1
const EMITTED = 2
const OUTERMOST = 0

/** Arm's polynomial types, which gcc takes for integers and clang does not know. */
const MISSING_ALIASES: Readonly<Record<string, string>> = {
  __Poly8_t: 'unsigned char', __Poly16_t: 'unsigned short', __Poly64_t: 'unsigned long long', __Poly128_t: 'unsigned __int128'
}

export function createEmitter (btf: Btf, out: TextWriter): Emitter {
  const declarations = createDeclarations({ btf, out, names: createUniqueNames(btf), alignments: createAlignments(btf) })
  const states = new Uint8Array(btf.endId)
  /** What types without names have is looked at wherever they are used. */
  const work = newWork(LIMITS.cSteps)
  const isForwarded = new Uint8Array(btf.endId)

  const statement = (write: () => void): void => {
    write()
    out.write(';\n\n')
  }
  const declareStruct = (id: TypeId): void => {
    statement(() => { declarations.structName(id) })
    isForwarded[id] = 1
  }
  const defineType = (id: TypeId): void => {
    // The compiler's own: it has no definition.
    if (nameOf(btf, id) !== '__builtin_va_list') statement(() => { declarations.typedef(id) })
  }

  /** Met again while it is being written: what refers to it is written before it, and needs it declared. */
  const declareAhead = (id: TypeId, kind: number, container: number): void => {
    if (isForwarded[id] === 1) return
    if (isComposite(kind)) {
      if (id !== container && nameOffsetOf(btf, id) !== 0) declareStruct(id)
    } else if (kind === BtfKind.TYPEDEF) {
      defineType(id)
      isForwarded[id] = 1
    }
  }

  const emitComposite = (id: TypeId, container: number, depth: number): void => {
    const isOutermost = container === OUTERMOST
    const isNamed = nameOffsetOf(btf, id) !== 0
    states[id] = EMITTING
    if (isOutermost || !isNamed) {
      for (let i = 0; i < vlenOf(btf, id); i++) emit(memberType(btf, id, i), isNamed ? id : container, depth + 1)
    } else if (isForwarded[id] === 0 && id !== container) {
      declareStruct(id)
    }
    if (isOutermost) statement(() => { declarations.struct(id) })
    states[id] = isOutermost ? EMITTED : 0
  }

  const emit = (id: TypeId, container: number, depth: number): void => {
    step(work)
    if (states[id] === EMITTED) return
    if (depth > LIMITS.cNesting) throw tooDeep(id)
    const kind = kindOf(btf, id)
    if (states[id] === EMITTING) return declareAhead(id, kind, container)
    switch (kind) {
      case BtfKind.INT: {
        const alias = MISSING_ALIASES[nameOf(btf, id)]
        if (alias !== undefined) out.write(`typedef ${alias} ${nameOf(btf, id)};\n\n`)
        states[id] = EMITTED
        return
      }
      case BtfKind.ENUM: case BtfKind.ENUM64:
        if (container === OUTERMOST) statement(() => { declarations.enum(id) })
        states[id] = EMITTED
        return
      case BtfKind.FWD:
        statement(() => { declarations.forward(id) })
        states[id] = EMITTED
        return
      case BtfKind.PTR: case BtfKind.VOLATILE: case BtfKind.CONST: case BtfKind.RESTRICT: case BtfKind.TYPE_TAG:
        return emit(referencedType(btf, id), container, depth + 1)
      case BtfKind.ARRAY:
        return emit(arrayElement(btf, id), container, depth + 1)
      case BtfKind.TYPEDEF:
        states[id] = EMITTING
        emit(referencedType(btf, id), id, depth + 1)
        if (isForwarded[id] === 0) defineType(id)
        states[id] = EMITTED
        return
      case BtfKind.STRUCT: case BtfKind.UNION:
        return emitComposite(id, container, depth)
      case BtfKind.FUNC_PROTO:
        emit(referencedType(btf, id), container, depth + 1)
        for (let i = 0; i < vlenOf(btf, id); i++) emit(paramType(btf, id, i), container, depth + 1)
    }
  }

  return { emit: id => { emit(id, OUTERMOST, 0) } }
}
