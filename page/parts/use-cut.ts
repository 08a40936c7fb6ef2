import type { RefObject } from 'preact'
import { useLayoutEffect, useState } from 'preact/hooks'

/**
 * Whether there is more to the right of what is seen.
 *
 * @param columns on which the width depends
 */
export function useCut (scroller: RefObject<HTMLElement | null>, columns: number): boolean {
  const [isCut, setCut] = useState(false)
  useLayoutEffect(() => {
    const element = scroller.current
    if (element === null) return
    // Browsers round what is scrolled by and the width in different ways.
    const look = (): void => { setCut(element.scrollLeft + element.clientWidth < element.scrollWidth - 1) }
    const sizes = new ResizeObserver(look)
    sizes.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    look()
    return () => {
      sizes.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [columns])
  return isCut
}
