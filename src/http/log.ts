import type { FastifyBaseLogger } from 'fastify'
import { pino, type DestinationStream } from 'pino'

/** Lines are written together, since a write costs more than making ten lines. Nothing waits longer than this, and an exit flushes. */
const FLUSH_MS = 100
/** In UTF-16 units, which for our lines are bytes. */
const FLUSH_LENGTH = 15 * 1024
/** More than the lines that wait can be, in whatever script: an output that has less writes nothing by itself. */
const HELD_BYTES = 4 * FLUSH_LENGTH

/**
 * JSON lines on standard output. No secret gets there, since no header does: Fastify's own request logging is off, and what
 * the multipart plugin shows at level `trace` is cut down to its limits.
 */
export function createLogger (level: string, destination: DestinationStream = getStandardOutput()): FastifyBaseLogger {
  return pino({ level, serializers: { busboyOptions: ({ limits }: { limits: unknown }) => ({ limits }) } }, destination)
}

let standardOutput: DestinationStream | undefined

/** One for the process, as there is one standard output. */
function getStandardOutput (): DestinationStream {
  standardOutput ??= gatherLines()
  return standardOutput
}

/**
 * pino's own destination could gather lines too, but measures all that it has gathered for each line that comes. Here it gets
 * them together and holds them until it is told to write: while the process runs without waiting, at its end and after a
 * fatal line at once.
 */
function gatherLines (): DestinationStream & { flushSync (): void } {
  let lines = ''
  let timer: NodeJS.Timeout | undefined
  const output = pino.destination({ fd: 1, sync: false, minLength: HELD_BYTES, maxWrite: HELD_BYTES + 1, periodicFlush: FLUSH_MS })
  const pass = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (lines !== '') output.write(lines)
    lines = ''
  }
  const flush = (): void => {
    pass()
    output.flush()
  }
  const flushSync = (): void => {
    pass()
    output.flushSync()
  }
  process.on('exit', flushSync)
  return {
    write (line) {
      lines += line
      if (lines.length >= FLUSH_LENGTH) flush()
      else timer ??= setTimeout(flush, FLUSH_MS).unref()
    },
    flushSync
  }
}
