import { useEffect, useRef } from 'preact/hooks'
import { readLink, type View } from '../model/link.js'

/** What is kept of an entry of the history. An address that somebody enters has none of this. */
interface Entry {
  /** Of one in which a cell was opened: the address before. */
  readonly before?: string
}

/**
 * Keeps the address that of the view. A cell that is opened is an entry of the history, so that going back closes it: on a telephone it
 * covers the page, and leaving the page would lose the files.
 *
 * @param link the address of the view
 * @param isSettled false while the view of the address has not been shown yet
 * @param onView shows the view of another entry of the history; false where it cannot, and the page is loaded again
 * @param changes what the address depends on
 */
export function useAddress (link: () => string, isSettled: boolean, onView: (view: View) => boolean, changes: readonly unknown[]): void {
  const isGoingBack = useRef(false)
  useEffect(() => {
    if (!isSettled || isGoingBack.current) return
    const next = link()
    const entry = history.state as Entry | null
    const isOpen = isOpenIn(next)
    const wasOpen = isOpenIn(location.href)
    if (isOpen && !wasOpen) {
      history.pushState({ before: location.href } satisfies Entry, '', next)
    } else if (!isOpen && wasOpen && entry?.before === next) {
      isGoingBack.current = true
      history.back()
    } else history.replaceState(entry ?? {}, '', next)
  }, [isSettled, ...changes])

  useEffect(() => {
    const show = (): void => {
      if (isGoingBack.current) {
        isGoingBack.current = false
        history.replaceState(history.state, '', link()) // what changed meanwhile
      } else if (history.state === null || !onView(readLink(location.hash))) location.reload()
    }
    addEventListener('hashchange', show)
    return () => { removeEventListener('hashchange', show) }
  })
}

function isOpenIn (address: string): boolean { return readLink(new URL(address).hash).open !== undefined }
