import { hostname } from 'node:os'
import type { FastifyBaseLogger } from 'fastify'
import { pino, type DestinationStream } from 'pino'
import { createLineOutput, type LineOutput } from './log-output.js'
import { toText } from './log-text.js'

export interface Log extends FastifyBaseLogger {
  /**
   * Writes a line whose own members are JSON already, `"name":value` separated by commas; they are made where the level is
   * written. For the line of every request: to make its JSON from an object costs as much as the rest of a small answer.
   */
  json (level: 'debug' | 'info', members: () => string, message: string): void
}

/**
 * JSON lines on standard output, or lines for people where that is a terminal. No secret gets there, since no header does: Fastify's own
 * request logging is off, and what the multipart plugin shows at level `trace` is cut down to its limits.
 */
export function createLogger (level: string, destination: DestinationStream = getStandardOutput()): Log {
  const log = pino({ level, serializers: { busboyOptions: ({ limits }: { limits: unknown }) => ({ limits }) } }, destination)
  const process = `"pid":${globalThis.process.pid},"hostname":${JSON.stringify(hostname())}`
  const begins = { debug: `{"level":${pino.levels.values['debug']},"time":`, info: `{"level":${pino.levels.values['info']},"time":` }
  let madeAt = 0
  /** Many lines are of one millisecond. */
  let next = ''
  return Object.assign(log, {
    json (level: 'debug' | 'info', members: () => string, message: string): void {
      if (!log.isLevelEnabled(level)) return
      const now = Date.now()
      if (now !== madeAt) {
        madeAt = now
        next = `${now},${process},`
      }
      destination.write(`${begins[level]}${next}${members()},"msg":"${message}"}\n`)
    }
  })
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
