import { move, transferableSymbol, valueSymbol } from 'piscina'

/** Marks a task's answer so that its buffers are moved to the event loop instead of being copied. They are gone here afterwards. */
export function transfer<T extends object> (value: T, buffers: readonly ArrayBuffer[]): T {
  return move({ [transferableSymbol]: buffers, [valueSymbol]: value }) as unknown as T
}
