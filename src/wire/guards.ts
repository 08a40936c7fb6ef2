/** What values of unknown kind are, for those who read answers and files. Each lets an object say more than is asked. */

export type Fields = Readonly<Record<string, unknown>>

export function isFields (value: unknown): value is Fields { return typeof value === 'object' && value !== null && !Array.isArray(value) }

export function isText (value: unknown): value is string { return typeof value === 'string' }

export function isTextOrNull (value: unknown): value is string | null { return value === null || isText(value) }

export function isNumberOrNull (value: unknown): value is number | null { return value === null || typeof value === 'number' }

export function isListOf<T> (value: unknown, isItem: (item: unknown) => item is T): value is T[]
export function isListOf (value: unknown, isItem: (item: unknown) => boolean): boolean
export function isListOf (value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem)
}
