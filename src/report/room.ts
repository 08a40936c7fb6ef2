import type { ReportPlace, ReportProgram, ReportRelocation } from '../wire/report.js'

/**
 * Bytes that parts of a report take as JSON at most: to add these up costs a small part of writing them, and nearly every report has
 * room many times over.
 */

/** Bytes of a UTF-16 unit: `\u001f`. */
const UNIT = 6
/** Bytes of what is not text: names of members, marks, numbers and words of a fixed set. */
const PROGRAM = 250
const RELOCATION = 400
const PLACE = 250
const SUGGESTION = 40
const ASSUMPTION = 4

export function mostBytesOf<T> (values: readonly T[], most: (value: T) => number): number {
  let bytes = 0
  for (const value of values) bytes += most(value)
  return bytes
}

export function mostProgramBytes ({ name, section, verdict_reason: reason, assumes, needs_kernel_btf: needs }: ReportProgram): number {
  let units = name.length + section.length + lengthOf(reason) + lengthOf(needs)
  for (const text of assumes) units += text.length
  return PROGRAM + ASSUMPTION * assumes.length + UNIT * units
}

export function mostRelocationBytes (
  { type, access, access_spec: spec, detail, suggestions, places }: ReportRelocation
): number {
  let units = type.length + access.length + spec.length + lengthOf(detail)
  for (const { text, code } of suggestions) units += text.length + code.length
  for (const place of places) units += placeUnits(place)
  return RELOCATION + SUGGESTION * suggestions.length + PLACE * places.length + UNIT * units
}

function placeUnits ({ program, section, source }: ReportPlace): number {
  return program.length + section.length + (source === null ? 0 : source.file.length + source.text.length)
}

function lengthOf (text: string | null): number { return text === null ? 0 : text.length }
