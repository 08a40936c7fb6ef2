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
  const beginOf = (level: 'debug' | 'info', time: number): string =>
    inOnePiece(`{"level":${pino.levels.values[level]},"time":${time},${process},`)
  /** Many lines are of one millisecond. */
  let begin = { level: 'info', time: 0, text: '' }
  return Object.assign(log, {
    json (level: 'debug' | 'info', members: () => string, message: string): void {
      if (!log.isLevelEnabled(level)) return
      const time = Date.now()
      if (time !== begin.time || level !== begin.level) begin = { level, time, text: beginOf(level, time) }
      destination.write(`${begin.text}${members()},"msg":"${message}"}\n`)
    }
  })
}

/**
 * The same text. V8 keeps text that was put together as a tree of its parts, which it walks anew each time that the whole is written:
 * for what many lines have in common.
 */
export function inOnePiece (text: string): string { return Buffer.from(text).toString() }

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
