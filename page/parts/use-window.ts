import type { RefObject } from 'preact'
import { useLayoutEffect, useState } from 'preact/hooks'
import { rangeOf, scrollTo, type Range } from '../model/window.js'
import { useScrolled } from './use-scrolled.js'

export interface DrawnWindow extends Range {
  /** Of a row, in CSS pixels. */
  readonly rowHeight: number
  /** Of all rows. */
  readonly height: number
  /** Rows by which Page Down goes on: those that are seen whole, but for one that stays in sight. */
  readonly page: number
  /** Scrolls so that a row is seen. */
  reveal(row: number): void
}

/**
 * Which rows of a long list to draw.
 *
 * @param scroller what scrolls; the list is at its top, below `head`
 * @param rowRem height of a row, in rem
 */
export function useWindow (
  scroller: RefObject<HTMLElement | null>,
  count: number,
  rowRem: number,
  head?: RefObject<HTMLElement | null>
): DrawnWindow {
  const [seen, setSeen] = useState({ top: 0, height: 600, rem: 16 })
  const look = (): void => {
    const element = scroller.current
    if (element === null) return
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize)
    const next = { top: element.scrollTop, height: element.clientHeight - (head?.current?.offsetHeight ?? 0), rem }
    setSeen(seen => seen.top === next.top && seen.height === next.height && seen.rem === next.rem ? seen : next)
  }
  useScrolled(scroller, look)
  // A list that became shorter may have scrolled by that.
  useLayoutEffect(look, [count])
  const rowHeight = Math.round(rowRem * seen.rem)
  return {
    ...rangeOf(count, { rowHeight, top: seen.top, height: seen.height }),
    rowHeight,
    height: count * rowHeight,
    page: Math.max(1, Math.floor(seen.height / rowHeight) - 1),
    reveal (row) {
      const element = scroller.current
      if (element === null) return
      element.scrollTop = scrollTo(row, { rowHeight, top: element.scrollTop, height: seen.height })
      look()
    }
  }
}
