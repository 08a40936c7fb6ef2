import { useRef } from 'preact/hooks'
import { useService } from './service-context.js'

/** How often a screen reader is told how far something is, in milliseconds. */
const TELL_MS = 5000

export interface Progress {
  begin(): void
  /** Says how far it is, where nothing was said of it for a while. */
  tell(text: string): void
}

/** Has a screen reader say how far something long is, now and then. */
export function useProgress (): Progress {
  const { announce } = useService()
  const toldAt = useRef(0)
  return {
    begin () { toldAt.current = performance.now() },
    tell (text) {
      if (performance.now() - toldAt.current < TELL_MS) return
      announce(text)
      toldAt.current = performance.now()
    }
  }
}
