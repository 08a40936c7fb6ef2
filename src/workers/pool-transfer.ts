import { createRequire } from 'node:module'
import type * as Piscina from 'piscina'

let piscina: typeof Piscina | undefined

/**
 * Loads what `transfer` needs, which takes a fifth of the time in which a thread starts: a thread of checks mostly needs none of it. A
 * thread of requests has it from its start, since there may be no file left to open later.
 */
export function loadTransfer (): typeof Piscina {
  piscina ??= createRequire(import.meta.url)('piscina') as typeof Piscina
  return piscina
}

/** Marks a task's answer so that its buffers are moved to the event loop instead of being copied. They are gone here afterwards. */
export function transfer<T extends object> (value: T, buffers: readonly ArrayBuffer[]): T {
  if (buffers.length === 0) return value
  const loaded = loadTransfer()
  return loaded.move({ [loaded.transferableSymbol]: buffers, [loaded.valueSymbol]: value }) as unknown as T
}
