import { shortStringAt, stringAt } from '../bytes/strings.js'
import { findString, nameOffsetOf, type Btf, type TypeId } from './btf.js'

/** Longest text that reports and messages show, in characters. The longest name in any kernel has about 120; C lines are shorter. */
const SHOWN_CHARACTERS = 500
/** UTF-8 takes at most four bytes a character. */
const SHOWN_BYTES = 4 * SHOWN_CHARACTERS

/**
 * The string at an offset, as far as it is shown. Reads no more of it than that: a string of a hostile file may have megabytes,
 * and be named by every record. Empty where the offset lies past the strings.
 */
export function shownText (btf: Btf, offset: number): string {
  const place = findString(btf, offset)
  if (place === undefined) return ''
  return shortStringAt(place.bytes, place.offset) ??
    cut(stringAt(place.bytes.subarray(place.offset, place.offset + SHOWN_BYTES + 1), 0))
}

/** A type's name, as far as it is shown. */
export function shownName (btf: Btf, id: TypeId): string { return shownText(btf, nameOffsetOf(btf, id)) }

/** A text cut to what is shown, with a mark where something was cut. */
export function cut (text: string): string { return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS - 1)}…` }
