import { shorten } from './table.js'

/** One line on the terminal that tells how far long work is; nothing where standard error is no terminal. */
export interface Progress {
  update(text: string): void
  /** Clears the line, so that what follows begins at its start. */
  clear(): void
}

/** A terminal is written to so often. */
const INTERVAL_MS = 100

export function createProgress (stream: NodeJS.WriteStream): Progress {
  let shownAt = -Infinity
  let isShown = false
  const clear = (): void => {
    if (isShown) stream.write('\r\u001b[K')
    isShown = false
  }
  return {
    update (text) {
      if (!stream.isTTY || performance.now() - shownAt < INTERVAL_MS) return
      shownAt = performance.now()
      stream.write(`\r\u001b[K${shorten(text, Math.max(20, (stream.columns ?? 80) - 1))}`)
      isShown = true
    },
    clear
  }
}
