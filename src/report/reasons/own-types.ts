import { BtfKind } from '../../btf/constants.js'
import {
  datasecVariable, isComposite, isEmptyString, kindOf, memberNameOffset, memberType, nameOf, nameOffsetOf, referencedType, vlenOf,
  type Btf, type TypeId
} from '../../btf/btf.js'
import { listedKinds } from '../../btf/listed-kinds.js'
import { plainType } from '../../btf/resolve.js'
import { shownName, shownText } from '../../btf/shown-text.js'
import { describeType } from '../../core/describe.js'
import { declaration, memberDeclaration } from '../c-text.js'
import type { ReportSuggestion } from '../../wire/report.js'

/** Members of a map's definition that are looked at: libbpf knows of fewer. */
const MAX_PARTS = 16
/** Members that a suggestion spells out. */
const MAX_MEMBERS = 32

/** Structs and unions that maps of the object have as key or value, each with the name of such a map. */
export function storedTypes (btf: Btf): ReadonlyMap<TypeId, string> {
  const stored = new Map<TypeId, string>()
  for (const id of listedKinds(btf).datasecs) {
    if (nameOf(btf, id) !== '.maps') continue
    for (let v = 0; v < vlenOf(btf, id); v++) {
      const variable = datasecVariable(btf, id, v)
      const definition = plainType(btf, referencedType(btf, variable))
      if (!isComposite(kindOf(btf, definition))) continue
      for (let part = 0; part < Math.min(vlenOf(btf, definition), MAX_PARTS); part++) {
        if (!['key', 'value'].includes(shownText(btf, memberNameOffset(btf, definition, part)))) continue
        const pointer = plainType(btf, memberType(btf, definition, part))
        if (kindOf(btf, pointer) !== BtfKind.PTR) continue
        const type = plainType(btf, referencedType(btf, pointer))
        if (isComposite(kindOf(btf, type)) && !stored.has(type)) stored.set(type, shownName(btf, variable))
      }
    }
  }
  return stored
}

/** How a type that no kernel has is relocated all the same. */
export const LAYOUT_SUPPLIED = 'the loader supplies the layout, as by KernelTypes of cilium/ebpf or btf_custom_path of libbpf'

/** The type as its author declares it, without what makes clang record accesses to it. */
export function declareOwn (btf: Btf, id: TypeId, isCertain: boolean): ReportSuggestion {
  const type = describeType(btf, id)
  const advice = 'ake preserve_access_index off it, or declare it where no #pragma clang attribute push adds that:'
  return {
    text: isCertain ? `T${advice}` : `If ${type} is the program's own, it has a value only where ${LAYOUT_SUPPLIED}. Otherwise t${advice}`,
    code: [`${type} {`, ...declaredMembers(btf, id, '/* its members */'), '};'].join('\n')
  }
}

/** The members of a struct or union, a line each. @param otherwise the one line where they cannot be told so, or are too many */
export function declaredMembers (btf: Btf, id: TypeId, otherwise: string): string[] {
  const members = Array.from({ length: vlenOf(btf, id) }, (_, i) => i)
  const isShown = members.length <= MAX_MEMBERS && members.every(i => canDeclare(btf, memberType(btf, id, i)))
  return isShown ? members.map(i => `\t${memberDeclaration(btf, id, i)};`) : [`\t${otherwise}`]
}

/** Whether one line of C declares a member of the type: not where the type has no name, or was cut. */
function canDeclare (btf: Btf, id: TypeId): boolean {
  const text = declaration(btf, id)
  return !text.includes('(anonymous)') && !text.includes('…') && !isUnnamed(btf, plainType(btf, id))
}

function isUnnamed (btf: Btf, id: TypeId): boolean { return isComposite(kindOf(btf, id)) && isEmptyString(btf, nameOffsetOf(btf, id)) }
