import type { Random } from './random.js'
import { isComposite, strip, type Type } from './types.js'

/** A path of indices into a type, and what lies at its end. */
export interface Walk {
  readonly path: readonly number[]
  readonly end: Type
  /** Whether it ends at a member with a name, not at an element or the root itself. */
  readonly isNamed: boolean
  readonly isBitfield: boolean
}

/** Some way into a type, such as `&root[0].member[2].other` in C. Now and then it goes out of bounds. */
export function walk (r: Random, root: Type): Walk {
  const path = [r.chance(0.9) ? 0 : 1 + r.nat(3)]
  let end = root
  let isNamed = false
  let isBitfield = false
  let current: Type | undefined = root
  for (;;) {
    const bare: Type | undefined = strip(current)
    if (isComposite(bare) && bare.members.length > 0) {
      const index = r.nat(bare.members.length)
      const member = bare.members[index]
      if (member === undefined) break
      path.push(index)
      current = member.type
      if (member.name === '') continue
      end = member.type
      isNamed = true
      isBitfield = member.bitfield > 0
      if (r.chance(0.5)) break
    } else if (bare?.kind === 'array') {
      const index = r.nat(bare.count === 0 ? 4 : Math.min(bare.count, 8))
      path.push(index)
      current = bare.of
      end = bare.of
      isNamed = false
      isBitfield = false
      if (r.chance(0.6)) break
    } else {
      break
    }
  }
  if (r.chance(0.01)) path.push(r.nat(9))
  return { path, end, isNamed, isBitfield }
}
