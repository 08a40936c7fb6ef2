import type { RefObject } from 'preact'
import { useState } from 'preact/hooks'
import { useScrolled } from './use-scrolled.js'

/**
 * Whether there is more to the right of what is seen.
 *
 * @param columns on which the width depends
 */
export function useCut (scroller: RefObject<HTMLElement | null>, columns: number): boolean {
  const [isCut, setCut] = useState(false)
  // Browsers round what is scrolled by and the width in different ways.
  useScrolled(scroller, ({ scrollLeft, clientWidth, scrollWidth }) => { setCut(scrollLeft + clientWidth < scrollWidth - 1) }, [columns])
  return isCut
}
