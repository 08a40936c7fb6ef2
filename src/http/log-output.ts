import { write, writeSync } from 'node:fs'
import { errorCode } from '../store/error-code.js'

/** Lines are written together, since a write costs more than making ten lines. Nothing waits longer than this, and an exit flushes. */
const FLUSH_MS = 100
/** In UTF-16 units, which for our lines are bytes. A pipe takes 64 KiB at once. */
const FLUSH_LENGTH = 48 * 1024
/** Lines that wait while the output takes none, in the same unit. Later ones are lost, and counted. */
const MAX_WAITING = 1024 * 1024
/** How long an output is left alone that failed. One that has no room just now is asked again with the next lines. */
const RETRY_MS = 1000
/** A write under way for so long has met a reader that does not read: a synchronous one would wait for it for ever. */
const STUCK_MS = 1000
/** How often an exit tries again where the output is busy, and the pause between two tries. */
const FLUSH_ATTEMPTS = 20
const FLUSH_PAUSE_MS = 10
/** Time for a write that is under way in another thread, whose lines come before those that wait. */
const IN_FLIGHT_MS = 200

/** Where the lines of a log go. Nothing here throws: a log that cannot be written must not end what it tells of. */
export interface LineOutput {
  write (line: string): void
  /** Writes what waits before it returns, where the output takes it. */
  flushSync (): void
  /** Lines that were lost, because the output failed or took too few. */
  readonly lost: number
}

/**
 * Gathers lines and writes them to a file descriptor, without the event loop waiting for it.
 *
 * An output that fails (a full disk, a reader that has gone) is tried again every second. What it did not take meanwhile is
 * lost; the first line that it takes again says how many lines that were.
 */
export function createLineOutput (fd: number): LineOutput {
  let waiting = ''
  /** A write is under way. */
  let isWriting = false
  /** The end of what was being written, which the output had no room for: it comes before the lines that wait. */
  let rest: Buffer | undefined
  let startedAt = 0
  let timer: NodeJS.Timeout | undefined
  /** The output took nothing, and is left alone for a while. */
  let isPaused = false
  let lost = 0
  let toldLost = 0

  const schedule = (): void => { timer ??= setTimeout(flush, FLUSH_MS).unref() }
  const take = (): Buffer => {
    const notice = lost > toldLost ? noticeOf(lost - toldLost) : ''
    toldLost = lost
    const bytes = Buffer.from(notice + waiting)
    waiting = ''
    return bytes
  }
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    isPaused = false
    if (isWriting || (rest === undefined && waiting === '')) return
    writeOn(rest ?? take())
  }
  const writeOn = (bytes: Buffer): void => {
    isWriting = true
    rest = undefined
    startedAt = performance.now()
    write(fd, bytes, 0, bytes.length, null, (error, written) => {
      isWriting = false
      if (error !== null) {
        const isBusy = error.code === 'EAGAIN'
        if (isBusy) rest = bytes
        else lost += linesIn(bytes)
        isPaused = true
        clearTimeout(timer)
        timer = setTimeout(flush, isBusy ? FLUSH_MS : RETRY_MS).unref()
      } else if (written < bytes.length) {
        writeOn(bytes.subarray(written))
      } else if (waiting.length >= FLUSH_LENGTH) {
        flush()
      } else if (waiting !== '') {
        schedule()
      }
    })
  }

  return {
    write (line) {
      if (waiting.length + line.length > MAX_WAITING) {
        lost++
        return
      }
      waiting += line
      if (waiting.length >= FLUSH_LENGTH && !isPaused) flush()
      else schedule()
    },
    flushSync () {
      if (isWriting && performance.now() - startedAt > STUCK_MS) return
      if (isWriting) pause(IN_FLIGHT_MS)
      const last = rest === undefined ? [] : [rest]
      rest = undefined
      if (waiting !== '') last.push(take())
      if (last.length > 0) writeNow(fd, Buffer.concat(last))
    },
    get lost () { return lost }
  }
}

/** A line of the log about the lines that it lacks. */
function noticeOf (lines: number): string {
  const msg = 'the log could not be written; lines are lost'
  return `${JSON.stringify({ level: 40, time: Date.now(), pid: process.pid, lost_lines: lines, msg })}\n`
}

function writeNow (fd: number, bytes: Buffer): void {
  let rest = bytes
  for (let attempt = 0; rest.length > 0 && attempt < FLUSH_ATTEMPTS; attempt++) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') return
      pause(FLUSH_PAUSE_MS)
    }
  }
}

function pause (ms: number): void { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms) }

const NEWLINE = 0x0a

function linesIn (bytes: Buffer): number {
  let lines = 0
  for (const byte of bytes) if (byte === NEWLINE) lines++
  return lines
}
