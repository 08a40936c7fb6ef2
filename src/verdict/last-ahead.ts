import type { ElfFunction } from '../elf/functions.js'
import type { Flow } from './flow.js'

/** What is asked of an object's functions. */
interface Asked {
  readonly codeOf: (fn: ElfFunction) => { readonly body: { readonly count: number, readonly flow: () => Flow } }
  /** Indices of poisoned instructions, ascending. */
  readonly poisonIn: (fn: ElfFunction) => readonly number[]
  readonly hasPoisonedSubprogram: () => boolean
  readonly isAnyAddressed: () => boolean
  readonly references: (fn: ElfFunction) => ReadonlyArray<{ readonly fn: ElfFunction, readonly index: number }>
}

/** The last instruction of a function that may lead to poison, unless by a jump back from behind it; -1 where none does. */
export type LastAhead = (fn: ElfFunction) => number

/**
 * What is behind that instruction is not followed, so that it does not matter what it reads.
 *
 * @param all functions of the object, each by one of its names
 */
export function createLastAhead (functions: Asked, all: () => readonly ElfFunction[]): LastAhead {
  let followed: ReadonlySet<number> | undefined
  const isFollowed = (fn: ElfFunction): boolean => {
    followed ??= followedSubprograms(functions, all())
    return followed.has(fn.start)
  }
  return fn => {
    const isWhole = functions.hasPoisonedSubprogram()
      ? functions.isAnyAddressed() || (isSubprogram(fn) && isFollowed(fn))
      : isSubprogram(fn)
    return isWhole ? functions.codeOf(fn).body.count - 1 : lastOwn(functions, fn)
  }
}

const isSubprogram = ({ section }: ElfFunction): boolean => section.name === '.text'

/** The last poison of a function, or reference to another one. */
function lastOwn (functions: Asked, fn: ElfFunction): number {
  const references = functions.hasPoisonedSubprogram() ? functions.references(fn) : []
  return references.reduce((last, { index }) => Math.max(last, index), functions.poisonIn(fn).at(-1) ?? -1)
}

/** Starts of subprograms after whose call the caller may go on to poison. Nothing is known of callers that are called themselves. */
function followedSubprograms (functions: Asked, all: readonly ElfFunction[]): ReadonlySet<number> {
  const followed = new Set<number>()
  for (const caller of all) {
    const references = functions.references(caller)
    if (references.length === 0) continue
    const last = lastOwn(functions, caller)
    for (const { fn, index } of references) {
      if (isSubprogram(caller) || index < last || (functions.codeOf(caller).body.flow().loops.at(-1) ?? -1) > index) followed.add(fn.start)
    }
  }
  return followed
}
