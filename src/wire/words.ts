/** `1 kernel`, `2 kernels`. */
export function count (n: number, noun: string): string { return `${n} ${noun}${n === 1 ? '' : 's'}` }

/** The first of many names: `a, b, c and 4 more`. */
export function firstOf (names: readonly string[], most: number): string {
  const more = names.length - most
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
