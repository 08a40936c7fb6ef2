import { writeSync } from 'node:fs'
import { pino, type DestinationStream, type Logger } from 'pino'
import { errorCode } from '../store/error-code.js'

export type Log = Logger

const STANDARD_OUTPUT = 1
/** How often a pipe that is full is tried again, and how long is waited each time, before a line is given up. In milliseconds. */
const TRIES = 20
const WAIT_MS = 5

/**
 * JSON lines on standard output, each written at once: there are few, and the last one before an exit matters most.
 *
 * A line that cannot be written (a full disk, a reader that is gone) is lost and counted, and the agent goes on: what it does for
 * programs is worth more than what it says of it.
 *
 * @param onLost told of each lost line
 */
export function createLog (level: string, onLost: () => void, descriptor = STANDARD_OUTPUT): Log {
  return pino({ level }, forgiving(descriptor, onLost))
}

function forgiving (descriptor: number, onLost: () => void): DestinationStream {
  /** The end of a line of which only the beginning was written. */
  let unfinished = ''
  return {
    write (line) {
      let rest: Uint8Array = Buffer.from(unfinished + line)
      const whole = rest.length
      try {
        for (let tries = 0; rest.length > 0;) {
          const written = tryWrite(descriptor, rest)
          rest = rest.subarray(written)
          if (written > 0) continue
          if (++tries > TRIES) break
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS)
        }
      } catch {} // counted below
      if (rest.length > 0) onLost()
      // Half a line would make the next one unreadable too.
      unfinished = rest.length > 0 && (rest.length < whole || unfinished !== '') ? '\n' : ''
    }
  }
}

/** @returns bytes that were written; 0 where the pipe is full */
function tryWrite (descriptor: number, bytes: Uint8Array): number {
  try {
    return writeSync(descriptor, bytes)
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return 0
    throw error
  }
}
