import type { ReportSuggestion } from '../wire/report.js'

/** What is told of places without a value, by what is advised. */
export interface ByAdvice<Item> {
  readonly shared: ReadonlyArray<{ readonly advice: ReportSuggestion, readonly items: readonly Item[] }>
  /** In their order. */
  readonly others: readonly Item[]
}

/**
 * Tells advice that several items share, and that is about how the program is compiled (it has no code), from what is advised for each:
 * it is to be told once, with the items below it.
 */
export function byAdvice<Item> (items: readonly Item[], adviceOf: (item: Item) => ReportSuggestion | undefined): ByAdvice<Item> {
  const alike = new Map<string, { readonly advice: ReportSuggestion, readonly items: Item[] }>()
  for (const item of items) {
    const advice = adviceOf(item)
    if (advice?.code !== '') continue
    const known = alike.get(advice.text)
    if (known === undefined) alike.set(advice.text, { advice, items: [item] })
    else known.items.push(item)
  }
  const shared = [...alike.values()].filter(({ items }) => items.length > 1)
  const isShared = new Set(shared.flatMap(({ items }) => items))
  return { shared, others: items.filter(item => !isShared.has(item)) }
}
