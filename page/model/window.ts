/** What of a long list is drawn: rows of one height. */
export interface Range {
  /** Index of the first row. */
  readonly first: number
  /** Index after the last. */
  readonly end: number
}

/** Rows beyond what is seen, so that a quick scroll shows no gap. */
const MARGIN = 8

/** What is seen of a list, in CSS pixels. */
export interface Seen {
  readonly rowHeight: number
  readonly top: number
  readonly height: number
}

export function rangeOf (count: number, { rowHeight, top, height }: Seen): Range {
  if (rowHeight <= 0) return { first: 0, end: 0 }
  const first = Math.min(Math.max(0, Math.floor(top / rowHeight) - MARGIN), count)
  return { first, end: Math.max(first, Math.min(count, Math.ceil((top + height) / rowHeight) + MARGIN)) }
}

/** Where to scroll to so that a row is seen whole; the same place where it is already. */
export function scrollTo (row: number, { rowHeight, top, height }: Seen): number {
  const begin = row * rowHeight
  if (begin < top) return begin
  return begin + rowHeight > top + height ? begin + rowHeight - height : top
}

/** The rows of a window, and the one that the keyboard is at, wherever it is: it must not lose the focus by scrolling. */
export function rowsWith (first: number, end: number, active: number, count: number): readonly number[] {
  const rows = Array.from({ length: end - first }, (_, i) => first + i)
  if (active >= count || (active >= first && active < end)) return rows
  return active < first ? [active, ...rows] : [...rows, active]
}
