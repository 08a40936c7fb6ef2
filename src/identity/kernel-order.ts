/** By number where names differ in numbers: 5.4 comes before 5.10. */
const collator = new Intl.Collator('en', { numeric: true })

/** The same names, with the first so many of that order before all others: thousands need not be sorted where three are shown. */
export function withFirstInOrder (names: readonly string[], count: number): readonly string[] {
  const first: string[] = []
  const others: string[] = []
  for (const name of names) {
    const last = first.at(-1)
    if (first.length === count && last !== undefined && collator.compare(name, last) >= 0) {
      others.push(name)
      continue
    }
    const place = first.findIndex(other => collator.compare(name, other) < 0)
    first.splice(place < 0 ? first.length : place, 0, name)
    if (first.length > count) others.push(first.pop() ?? '')
  }
  return [...first, ...others]
}
