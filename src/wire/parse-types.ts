import type { HistoryRange, LeftOut, MemberPlace, TypeDifference, TypeHistoryJson, TypesDiffJson, TypeSearchJson } from './types.js'

/** The answer, or undefined where the value is none. Checks what callers rely on, and lets newer services say more. */
export function parseTypesDiff (value: unknown): TypesDiffJson | undefined { return isDiff(value) ? value : undefined }

/** The same of a history. */
export function parseTypeHistory (value: unknown): TypeHistoryJson | undefined { return isHistory(value) ? value : undefined }

/** The same of a page of types. */
export function parseTypeSearch (value: unknown): TypeSearchJson | undefined { return isSearch(value) ? value : undefined }

function isSearch (value: unknown): value is TypeSearchJson {
  return isObject(value) && (value['next_cursor'] === null || isText(value['next_cursor'])) && isListOf(value['types'], isFoundType)
}

function isFoundType (value: unknown): boolean {
  return isObject(value) && isText(value['kind']) && isText(value['name']) && isNumberOrNull(value['size']) &&
    (value['member'] === null || isPlace(value['member']))
}

function isDiff (value: unknown): value is TypesDiffJson {
  return isObject(value) && typeof value['type'] === 'string' && typeof value['is_same'] === 'boolean' &&
    [value['from'], value['to']].every(kernel => isObject(kernel) && typeof kernel['kernel'] === 'string') &&
    isListOf(value['types'], isDifference)
}

function isDifference (value: unknown): value is TypeDifference {
  const isSide = (side: unknown): boolean => side === null || (isObject(side) && isNumberOrNull(side['size']))
  return isObject(value) && typeof value['change'] === 'string' && isSide(value['from']) && isSide(value['to']) &&
    isListOf(value['members'] ?? [], isMember) && isListOf(value['enumerators'] ?? [], isEnumerator)
}

function isMember (value: unknown): boolean {
  const isSide = (side: unknown): boolean => side === null || isPlace(side)
  return isObject(value) && isListOf(value['changes'], isText) && isSide(value['from']) && isSide(value['to'])
}

function isEnumerator (value: unknown): boolean {
  return isObject(value) && [value['name'], value['change'], value['from'] ?? '', value['to'] ?? ''].every(isText)
}

function isHistory (value: unknown): value is TypeHistoryJson {
  return isObject(value) && typeof value['type'] === 'string' && typeof value['kernels'] === 'number' &&
    isListOf(value['ranges'], isRange) && isListOf(value['left_out'], isLeftOut)
}

function isRange (value: unknown): value is HistoryRange {
  return isObject(value) && typeof value['kernels'] === 'number' && isListOf(value['places'], isHistoryPlace) &&
    ['distro', 'distro_version', 'arch', 'flavour', 'first', 'last', 'state'].every(name => typeof value[name] === 'string')
}

function isHistoryPlace (value: unknown): boolean {
  return isPlace(value) && 'found' in value && isText(value.found) && 'value' in value && (value.value === null || isText(value.value))
}

function isLeftOut (value: unknown): value is LeftOut {
  return isObject(value) && isText(value['reason']) && typeof value['kernels'] === 'number' && isListOf(value['examples'], isText)
}

function isPlace (value: unknown): value is MemberPlace {
  return isObject(value) && typeof value['path'] === 'string' && typeof value['type'] === 'string' &&
    isNumberOrNull(value['bit_offset']) && isNumberOrNull(value['bit_size']) && typeof value['is_bitfield'] === 'boolean'
}

function isObject (value: unknown): value is Readonly<Record<string, unknown>> { return typeof value === 'object' && value !== null }
function isText (value: unknown): value is string { return typeof value === 'string' }
function isNumberOrNull (value: unknown): value is number | null { return value === null || typeof value === 'number' }
function isListOf (value: unknown, isItem: (item: unknown) => boolean): boolean { return Array.isArray(value) && value.every(isItem) }
