import type { RefObject } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

/**
 * Has the focus follow the keyboard within a list of which one place at a time can be reached by Tab.
 *
 * @param scroller what the list is in
 * @param onFocus called with the place that has the focus then
 * @returns to call before another place becomes the one that Tab reaches
 */
export function useMovedFocus (scroller: RefObject<HTMLElement | null>, onFocus?: (place: HTMLElement) => void): () => void {
  const isMoved = useRef(false)
  useLayoutEffect(() => {
    if (!isMoved.current) return
    isMoved.current = false
    const place = scroller.current?.querySelector<HTMLElement>('[tabindex="0"]') ?? undefined
    if (place === undefined) return
    place.focus({ preventScroll: true })
    onFocus?.(place)
  })
  return () => { isMoved.current = true }
}
