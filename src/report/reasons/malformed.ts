import { BtfKind } from '../../btf/constants.js'
import {
  arrayElement, arrayLength, isComposite, isEmptyString, isValidId, kindOf, memberNameOffset, memberType, vlenOf, typeId, type Btf
} from '../../btf/btf.js'
import { strip } from '../../btf/resolve.js'
import { shownText } from '../../btf/shown-text.js'
import type { Work } from '../../btf/work.js'
import { parseAccessString } from '../../core/access-string.js'
import { describeType } from '../../core/describe.js'
import type { RecordOutcome } from '../../core/outcome.js'
import { declaration } from '../c-text.js'

/**
 * How far an access string goes in the object's own types, as C: `mid.z`, and why no further. Undefined where it does not even
 * start.
 */
export function brokenAccess (
  btf: Btf,
  { typeId: id, accessSpec }: Pick<RecordOutcome, 'typeId' | 'accessSpec'>,
  work: Work
): { readonly access: string, readonly detail: string } | undefined {
  const numbers = parseAccessString(accessSpec.slice(0, 1000))
  if (numbers === undefined || !isValidId(btf, id)) return undefined
  const root = describeType(btf, id)
  let access = root.replace(/^(struct|union|enum) /, '')
  let current = typeId(id)
  let text = root
  for (const index of numbers.slice(1)) {
    const type = strip(btf, current, work)
    const kind = kindOf(btf, type)
    if (isComposite(kind) && index < vlenOf(btf, type)) {
      const name = memberNameOffset(btf, type, index)
      current = memberType(btf, type, index)
      if (isEmptyString(btf, name)) continue
      access += `.${shownText(btf, name)}`
      text = declaration(btf, current, shownText(btf, name))
    } else if (kind === BtfKind.ARRAY && index < arrayLength(btf, type)) {
      current = arrayElement(btf, type)
      access += `[${index}]`
      text = declaration(btf, current)
    } else {
      const why = kind === BtfKind.ARRAY
        ? `it is an array of ${arrayLength(btf, type)}` +
          `${arrayLength(btf, type) === 0 ? ', which has elements only as the last member of a struct' : ''}, ` +
          `and element ${index} is asked for`
        : isComposite(kind)
          ? `it has ${vlenOf(btf, type)} members, and number ${index} is asked for`
          : 'it has neither members nor elements'
      return {
        access,
        detail: `The access string "${accessSpec.slice(0, 200)}" of ${root} does not fit the object's own type ` +
          `at ${access} (${text}): ${why}. libbpf refuses the object for it.`
      }
    }
  }
  return undefined
}
