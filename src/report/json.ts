import type { ReportMembers, ReportRelocation } from '../wire/report.js'

/** A report as JSON. */
export interface ReportJson {
  /** The members of `ReportMembers`, without the braces around them, so that others can stand before them. */
  readonly members: Uint8Array
  /** The relocations that keep a program from loading, or may, as a list. */
  readonly failing: Uint8Array
}

/** Lists of a report as JSON. */
export interface ListTexts {
  readonly programs: string
  readonly relocations: string
  readonly failing: string
}

export interface ListedRelocation {
  readonly value: ReportRelocation
  /** Whether it keeps a program from loading, or may. */
  readonly isFailing: boolean
}

const encoder = new TextEncoder()

function encode (text: string): Uint8Array { return encoder.encode(text) }

/** A list of JSON values as one. */
export function jsonList (values: readonly string[]): string { return `[${values.join(',')}]` }

/** Those of entries: made once for stretches of one sort, since JSON of a whole costs less than that of each part. */
export function listTexts (programs: ReportMembers['programs'], relocations: readonly ListedRelocation[]): ListTexts {
  const [all, failing]: [string[], string[]] = [[], []]
  for (let start = 0, end = 0; start < relocations.length; start = end) {
    const isFailing = relocations[start]?.isFailing === true
    end = start + 1
    while (end < relocations.length && relocations[end]?.isFailing === isFailing) end++
    const json = JSON.stringify(relocations.slice(start, end).map(({ value }) => value)).slice(1, -1)
    all.push(json)
    if (isFailing) failing.push(json)
  }
  return { programs: JSON.stringify(programs), relocations: jsonList(all), failing: jsonList(failing) }
}

export function writeReport (
  { programs: _, relocations: __, warnings, ...rest }: ReportMembers, { programs, relocations, failing }: ListTexts
): ReportJson {
  const first = JSON.stringify(rest).slice(1, -1)
  return {
    members: encode(`${first},"programs":${programs},"relocations":${relocations},"warnings":${JSON.stringify(warnings)}`),
    failing: encode(failing)
  }
}
