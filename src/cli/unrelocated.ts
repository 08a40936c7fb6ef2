import { listsRelocations, parseObject } from '../core/object.js'
import { warnOfNothing } from '../core/warnings.js'
import { parseSections } from '../elf/sections.js'
import { AppError } from '../errors.js'
import { objectNames } from './object-names.js'
import { paintFor, say } from './terminal.js'

/**
 * Says of which objects a check can say nothing: where there is nothing to relocate, nothing can fail, also where the object was
 * relocated for one kernel, or compiled without the types that would tell what it reads.
 */
export function warnOfUnrelocated (objects: ReadonlyArray<{ readonly path: string, readonly bytes: Uint8Array }>): void {
  const names = objectNames(objects.map(({ path }) => path))
  const warnings = objects.flatMap(({ bytes }, i) => {
    const message = warningAbout(bytes)
    return message === undefined ? [] : [`${names[i]}: ${message}`]
  })
  for (const warning of new Set(warnings)) say(`${paintFor(process.stderr)('yellow', 'warning:')} ${warning}`)
}

function warningAbout (bytes: Uint8Array): string | undefined {
  try {
    return listsRelocations(parseSections(bytes)) ? undefined : warnOfNothing(parseObject(bytes)).message
  } catch (error) {
    if (error instanceof AppError) return undefined // the check says what is wrong with it
    throw error
  }
}
