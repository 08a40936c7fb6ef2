import type { Readable } from 'node:stream'
import { toShared } from '../store/shared-bytes.js'

/** A body that may not be what it seems: it is counted as it comes. */
export interface BodyLimits {
  readonly maxBytes: number
  /** What Content-Length announced. */
  readonly announced: number | undefined
  readonly stallMs: number
  readonly stallBytes: number
}

export class BodyTooLarge extends Error { override readonly name = 'BodyTooLarge' }
export class BodyStalled extends Error { override readonly name = 'BodyStalled' }
export class BodyCutOff extends Error { override readonly name = 'BodyCutOff' }

/**
 * A body as it comes, counted and watched.
 *
 * @throws BodyTooLarge, BodyStalled, BodyCutOff, and what the stream throws
 */
export async function * watchBody (body: Readable, limits: BodyLimits): AsyncGenerator<Uint8Array, number> {
  const { maxBytes, announced, stallMs, stallBytes } = limits
  if (announced !== undefined && announced > maxBytes) {
    discard(body)
    throw new BodyTooLarge(`${announced} bytes`)
  }
  let size = 0
  let sizeBefore = 0
  const watch = setInterval(() => {
    if (size - sizeBefore < stallBytes) body.destroy(new BodyStalled(`${size - sizeBefore} bytes in ${stallMs} ms`))
    sizeBefore = size
  }, stallMs)
  try {
    for await (const chunk of body) {
      size += chunk.length
      if (size > maxBytes) throw new BodyTooLarge(`more than ${maxBytes} bytes`)
      yield chunk
    }
  } finally {
    clearInterval(watch)
  }
  if (announced !== undefined && announced !== size) throw new BodyCutOff(`${size} of ${announced} bytes`)
  return size
}

/**
 * All of a body, in shared memory, where workers read it.
 *
 * @throws BodyTooLarge, BodyStalled, BodyCutOff, and what the stream throws
 */
export async function readBody (body: Readable, limits: BodyLimits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of watchBody(body, limits)) chunks.push(chunk)
  return toShared(Buffer.concat(chunks))
}

/** Ends a body of which no more is wanted. Its stream then fails, which without a listener would end the process. */
export function discard (body: Readable): void {
  body.on('error', () => {})
  body.destroy()
}
