import type { FastifyBaseLogger } from 'fastify'
import { pino, type DestinationStream } from 'pino'

/** Lines are written together, since a write costs more than making ten lines. Nothing waits longer than this, and an exit flushes. */
const FLUSH_MS = 100
const FLUSH_BYTES = 15 * 1024

/**
 * JSON lines on standard output. No secret gets there, since no header does: Fastify's own request logging is off, and what
 * the multipart plugin shows at level `trace` is cut down to its limits.
 */
export function createLogger (level: string, destination: DestinationStream = standardOutput()): FastifyBaseLogger {
  return pino({ level, serializers: { busboyOptions: ({ limits }: { limits: unknown }) => ({ limits }) } }, destination)
}

function standardOutput (): DestinationStream {
  return pino.destination({ fd: 1, sync: false, minLength: FLUSH_BYTES, periodicFlush: FLUSH_MS })
}
