import { isComposite, kindOf, memberNameOffset, memberType, textOf, vlenOf, type Btf, type TypeId } from './btf.js'
import { strip } from './resolve.js'
import { step, type Work } from './work.js'

/** Whether a struct or union has a member of that name, anonymous members looked through. Types deeper than 16 anonymous levels are not looked at. */
export function hasMemberNamed (btf: Btf, id: TypeId, name: string, work: Work, depth = 0): boolean {
  const composite = strip(btf, id, work)
  if (!isComposite(kindOf(btf, composite)) || depth > 16) return false
  for (let index = 0; index < vlenOf(btf, composite); index++) {
    step(work)
    const member = textOf(btf, memberNameOffset(btf, composite, index))
    if (member === name) return true
    if (member === '' && hasMemberNamed(btf, memberType(btf, composite, index), name, work, depth + 1)) return true
  }
  return false
}
