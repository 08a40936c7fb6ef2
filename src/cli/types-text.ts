import type {
  FoundType, HistoryPlace, HistoryRange, MemberDifference, MemberPlace, TypeDifference, TypeHistoryJson, TypesDiffJson
} from '../wire/types.js'
import type { Paint } from './report-text.js'
import { printable, table } from './table.js'

/** What differs between two kernels, a line for each member that does. */
export function diffText ({ type, from, to, types }: TypesDiffJson, paint: Paint): string {
  return types.map(difference => [
    `${type}: ${sizeText(difference.from)} in ${from.kernel}, ${sizeText(difference.to)} in ${to.kernel}`,
    ...membersText(difference, paint),
    ...enumeratorsText(difference, paint)
  ].map(line => `${line}\n`).join('')).join('\n')
}

function sizeText (side: TypeDifference['from']): string {
  if (side === null) return 'not there'
  return side.type ?? (side.size === null ? 'no size' : `${side.size} ${side.size === 1 ? 'byte' : 'bytes'}`)
}

function membersText ({ members = [] }: TypeDifference, paint: Paint): string[] {
  const changed = members.filter(({ changes }) => changes.length > 0)
  const same = members.length - changed.length
  const [head = '', ...rows] = table(['CHANGE', 'FROM', 'TO', 'MEMBER'], changed.map(rowOf))
  return [
    ...changed.length === 0 ? [] : [paint('dim', head), ...rows],
    ...same === 0 ? [] : [`${same} ${same === 1 ? 'member is' : 'members are'} the same in both.`]
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

function enumeratorsText ({ enumerators = [] }: TypeDifference, paint: Paint): string[] {
  const changed = enumerators.filter(({ change }) => change !== 'same')
  const same = enumerators.length - changed.length
  const [head = '', ...rows] = table(['CHANGE', 'FROM', 'TO', 'ENUMERATOR'],
    changed.map(({ name, change, from, to }) => [change, from ?? '', to ?? '', printable(name)]))
  return [
    ...changed.length === 0 ? [] : [paint('dim', head), ...rows],
    ...same === 0 ? [] : [`${same} ${same === 1 ? 'enumerator is' : 'enumerators are'} the same in both.`]
  ]
}

/** Which types there are, a line for each. */
export function foundTypesText (types: readonly FoundType[], paint: Paint): string {
  const [head = '', ...rows] = table(['KIND', 'NAME', 'BYTES', 'AT', 'MEMBER'], types.map(({ kind, name, size, member }) =>
    [kind, printable(name), size === null ? '' : String(size), offsetText(member), member === null ? '' : memberText(member)]))
  return [paint('dim', head), ...rows].map(line => `${line}\n`).join('')
}

/** Where a member was, a line for each range of releases. */
export function historyText ({ ranges }: TypeHistoryJson, paint: Paint): string {
  const [head = '', ...rows] = table(['KERNELS', 'FIRST', 'LAST', 'HELD', 'AT', 'MEMBER'], ranges.map(range => [
    [range.distro, range.distro_version, range.arch, range.flavour].filter(text => text !== '').join(' '),
    range.first,
    range.last,
    String(range.kernels),
    range.places.map(offsetText).join(', '),
    whatText(range)
  ]))
  return [paint('dim', head), ...rows].map(line => `${line}\n`).join('')
}

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
