import type { RefObject } from 'preact'
import { useLayoutEffect } from 'preact/hooks'

/**
 * Has `look` called at first, and whenever what scrolls was scrolled or has another size.
 *
 * @param on what it depends on besides
 */
export function useScrolled (
  scroller: RefObject<HTMLElement | null>, look: (element: HTMLElement) => void, on: readonly unknown[] = []
): void {
  useLayoutEffect(() => {
    const element = scroller.current
    if (element === null) return
    const lookAgain = (): void => { look(element) }
    const sizes = new ResizeObserver(lookAgain)
    sizes.observe(element)
    element.addEventListener('scroll', lookAgain, { passive: true })
    lookAgain()
    return () => {
      sizes.disconnect()
      element.removeEventListener('scroll', lookAgain)
    }
  }, on)
}
