import { isFields, isListOf, isNumberOrNull, isText, isTextOrNull } from './guards.js'
import type { HistoryRange, LeftOut, MemberPlace, TypeDifference, TypeHistoryJson, TypesDiffJson, TypeSearchJson } from './types.js'

/** The answer, or undefined where the value is none. Checks what callers rely on, and lets newer services say more. */
export function parseTypesDiff (value: unknown): TypesDiffJson | undefined { return isDiff(value) ? value : undefined }

/** The same of a history. */
export function parseTypeHistory (value: unknown): TypeHistoryJson | undefined { return isHistory(value) ? value : undefined }

/** The same of a page of types. */
export function parseTypeSearch (value: unknown): TypeSearchJson | undefined { return isSearch(value) ? value : undefined }

function isSearch (value: unknown): value is TypeSearchJson {
  return isFields(value) && isTextOrNull(value['next_cursor']) && isListOf(value['types'], isFoundType)
}

function isFoundType (value: unknown): boolean {
  return isFields(value) && isText(value['kind']) && isText(value['name']) && isNumberOrNull(value['size']) &&
    (value['member'] === null || isPlace(value['member']))
}

function isDiff (value: unknown): value is TypesDiffJson {
  return isFields(value) && isText(value['type']) && typeof value['is_same'] === 'boolean' &&
    [value['from'], value['to']].every(kernel => isFields(kernel) && isText(kernel['kernel'])) &&
    isListOf(value['types'], isDifference)
}

function isDifference (value: unknown): value is TypeDifference {
  const isSide = (side: unknown): boolean => side === null || (isFields(side) && isNumberOrNull(side['size']))
  return isFields(value) && isText(value['change']) && isSide(value['from']) && isSide(value['to']) &&
    isListOf(value['members'] ?? [], isMember) && isListOf(value['enumerators'] ?? [], isEnumerator)
}

function isMember (value: unknown): boolean {
  const isSide = (side: unknown): boolean => side === null || isPlace(side)
  return isFields(value) && isListOf(value['changes'], isText) && isSide(value['from']) && isSide(value['to'])
}

function isEnumerator (value: unknown): boolean {
  return isFields(value) && [value['name'], value['change'], value['from'] ?? '', value['to'] ?? ''].every(isText)
}

function isHistory (value: unknown): value is TypeHistoryJson {
  return isFields(value) && isText(value['type']) && typeof value['kernels'] === 'number' &&
    isListOf(value['ranges'], isRange) && isListOf(value['left_out'], isLeftOut)
}

function isRange (value: unknown): value is HistoryRange {
  return isFields(value) && typeof value['kernels'] === 'number' && isListOf(value['places'], isHistoryPlace) &&
    ['distro', 'distro_version', 'arch', 'flavour', 'first', 'last', 'state'].every(name => isText(value[name]))
}

function isHistoryPlace (value: unknown): boolean {
  return isPlace(value) && 'found' in value && isText(value.found) && 'value' in value && isTextOrNull(value.value)
}

function isLeftOut (value: unknown): value is LeftOut {
  return isFields(value) && isText(value['reason']) && typeof value['kernels'] === 'number' && isListOf(value['examples'], isText)
}

function isPlace (value: unknown): value is MemberPlace {
  return isFields(value) && isText(value['path']) && isText(value['type']) &&
    isNumberOrNull(value['bit_offset']) && isNumberOrNull(value['bit_size']) && typeof value['is_bitfield'] === 'boolean'
}
