import type { ReportSuggestion } from '../wire/report.js'

/** What is told of places without a value, by what is advised. */
export interface ByAdvice<Item> {
  readonly shared: ReadonlyArray<SharedAdvice<Item>>
  /** In their order. */
  readonly others: readonly Item[]
}

export interface SharedAdvice<Item> {
  readonly advice: ReportSuggestion
  /** A sentence that holds for each item; undefined where each has its own reason. */
  readonly detail: string | undefined
  readonly items: readonly Item[]
}

/** What is said of an item. */
export interface Said {
  readonly reason: string | null
  readonly detail: string | null
  /** The first is told. */
  readonly suggestions: readonly ReportSuggestion[]
}

/** Reasons that are about a type: they hold for each of its members, and so does what is advised. */
const OF_TYPES: ReadonlySet<string | null> = new Set(['type_missing', 'type_in_module', 'type_kind_differs'])

/**
 * Tells advice that several items share from what is advised for each: it is to be told once, with the items below it. Such advice is about
 * how the program is compiled (it has no code), or about a type that the kernel does not have.
 */
export function byAdvice<Item> (items: readonly Item[], saidOf: (item: Item) => Said): ByAdvice<Item> {
  const alike = new Map<string, SharedAdvice<Item> & { readonly items: Item[] }>()
  for (const item of items) {
    const { reason, detail: ofItem, suggestions: [advice] } = saidOf(item)
    const isOfType = OF_TYPES.has(reason) && ofItem !== null
    if (advice === undefined || (advice.code !== '' && !isOfType)) continue
    const detail = advice.code === '' ? undefined : ofItem ?? undefined
    const key = JSON.stringify([detail, advice.text, advice.code])
    const known = alike.get(key)
    if (known === undefined) alike.set(key, { advice, detail, items: [item] })
    else known.items.push(item)
  }
  const shared = [...alike.values()].filter(({ items }) => items.length > 1)
  const isShared = new Set(shared.flatMap(({ items }) => items))
  return { shared, others: items.filter(item => !isShared.has(item)) }
}

/** What stands above the items: the reason where they have one, and what is advised. Code goes below it. */
export function sharedSentence ({ advice, detail }: Pick<SharedAdvice<unknown>, 'advice' | 'detail'>): string {
  return detail === undefined ? advice.text : `${detail} ${advice.text}`
}
