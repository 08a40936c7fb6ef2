import type { FastifyBaseLogger } from 'fastify'
import { pino, type DestinationStream } from 'pino'
import { createLineOutput, type LineOutput } from './log-output.js'
import { toText } from './log-text.js'

/**
 * JSON lines on standard output, or lines for people where that is a terminal. No secret gets there, since no header does: Fastify's own request logging is off, and what
 * the multipart plugin shows at level `trace` is cut down to its limits.
 */
export function createLogger (level: string, destination: DestinationStream = getStandardOutput()): FastifyBaseLogger {
  return pino({ level, serializers: { busboyOptions: ({ limits }: { limits: unknown }) => ({ limits }) } }, destination)
}

/** Lines of the process's log that were lost. */
export function lostLines (): number { return standardOutput?.lost ?? 0 }

const STANDARD_OUTPUT = 1
let standardOutput: LineOutput | undefined

/** One for the process, as there is one standard output. */
function getStandardOutput (): LineOutput {
  if (standardOutput === undefined) {
    const output = createLineOutput(STANDARD_OUTPUT)
    process.on('exit', () => { output.flushSync() })
    standardOutput = process.stdout.isTTY ? asText(output) : output
  }
  return standardOutput
}

function asText (output: LineOutput): LineOutput {
  return { write: line => { output.write(toText(line)) }, flushSync: output.flushSync, get lost () { return output.lost } }
}
