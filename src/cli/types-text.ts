import type {
  EnumeratorDifference, FoundType, HistoryPlace, HistoryRange, MemberDifference, MemberPlace, TypeDifference, TypeHistoryJson, TypesDiffJson
} from '../wire/types.js'
import { count } from '../wire/words.js'
import type { Paint } from './report-text.js'
import { printable, table } from './table.js'
import { painted } from './terminal.js'

/** What differs between two kernels, a line for each member that does. */
export function diffText ({ type, from, to, types }: TypesDiffJson, paint: Paint): string {
  return types.map(({ from: before, to: after, members = [], enumerators = [] }) => linesText([
    `${type}: ${sizeText(before)} in ${from.kernel}, ${sizeText(after)} in ${to.kernel}`,
    ...changedText('member', members.length, members.filter(({ changes }) => changes.length > 0).map(rowOf), paint),
    ...changedText('enumerator', enumerators.length, enumerators.filter(({ change }) => change !== 'same').map(enumeratorRowOf), paint)
  ])).join('\n')
}

function linesText (lines: readonly string[]): string { return lines.map(line => `${line}\n`).join('') }

function sizeText (side: TypeDifference['from']): string {
  if (side === null) return 'not there'
  return side.type ?? (side.size === null ? 'no size' : count(side.size, 'byte'))
}

/** @param all how many there are, those included that are the same in both */
function changedText (noun: 'member' | 'enumerator', all: number, changed: ReadonlyArray<readonly string[]>, paint: Paint): string[] {
  const same = all - changed.length
  return [
    ...changed.length === 0 ? [] : painted(table(['CHANGE', 'FROM', 'TO', noun.toUpperCase()], changed), paint),
    ...same === 0 ? [] : [`${count(same, noun)} ${same === 1 ? 'is' : 'are'} the same in both.`]
  ]
}

function rowOf ({ changes, from, to }: MemberDifference): string[] {
  const [before, after] = [from, to].map(place => place === null ? '' : memberText(place))
  return [changes.join(', '), offsetText(from), offsetText(to), [...new Set([before, after])].filter(text => text !== '').join('  ->  ')]
}

function memberText ({ path, type, bit_size: size, is_bitfield: isBitfield }: MemberPlace): string {
  return printable(`${path}: ${type}${isBitfield ? `:${size}` : ''}`)
}

/** In bytes; of a bitfield and the bit within the byte. Empty for what is not there, and a mark behind a pointer. */
function offsetText (place: MemberPlace | null): string {
  if (place === null) return ''
  const { bit_offset: bits, is_bitfield: isBitfield } = place
  if (bits === null) return '->'
  return `${Math.floor(bits / 8)}${isBitfield || bits % 8 !== 0 ? `:${bits % 8}` : ''}`
}

function enumeratorRowOf ({ name, change, from, to }: EnumeratorDifference): string[] {
  return [change, from ?? '', to ?? '', printable(name)]
}

/** Which types there are, a line for each. */
export function foundTypesText (types: readonly FoundType[], paint: Paint): string {
  return linesText(painted(table(['KIND', 'NAME', 'BYTES', 'AT', 'MEMBER'], types.map(({ kind, name, size, member }) =>
    [kind, printable(name), size === null ? '' : String(size), offsetText(member), member === null ? '' : memberText(member)])), paint))
}

/** Where a member was, a line for each range of releases. */
export function historyText ({ ranges }: TypeHistoryJson, paint: Paint): string {
  return linesText(painted(table(['KERNELS', 'FIRST', 'LAST', 'HELD', 'AT', 'MEMBER'], ranges.map(range => [
    [range.distro, range.distro_version, range.arch, range.flavour].filter(text => text !== '').join(' '),
    range.first,
    range.last,
    String(range.kernels),
    range.places.filter(isSomewhere).map(offsetText).join(', '),
    whatText(range)
  ])), paint))
}

/** Only a member has a place: the type itself and an enumerator have none. */
function isSomewhere ({ path, value }: HistoryPlace): boolean { return path !== '' && value === null }

function whatText ({ state, places }: HistoryRange): string {
  if (state === 'missing') return '(no such member)'
  if (state === 'type_missing') return '(no such type)'
  return places.map(place => place.found === 'similar' ? `${placeText(place)} (perhaps)` : placeText(place)).join(', ')
}

function placeText (place: HistoryPlace): string {
  const { path, type, bit_size: size, value } = place
  if (path === '') return printable(`${type}, ${size === null ? 'no size' : `${size / 8} bytes`}`)
  return value === null ? memberText(place) : printable(`${path} = ${value}`)
}
