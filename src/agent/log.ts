import { pino, type Logger } from 'pino'

export type Log = Logger

/** JSON lines on standard output, each written at once: there are few, and the last one before an exit matters most. */
export function createLog (level: string): Log { return pino({ level }, pino.destination({ fd: 1, sync: true })) }
