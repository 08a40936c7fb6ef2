import type { Readable } from 'node:stream'
import { AppError } from '../errors.js'
import { allocateShared } from '../store/shared-bytes.js'
import { viewOf } from './send-bytes.js'

/**
 * Bytes of uploads that all requests together may hold. Each request is bounded by its own limits; this bounds what many
 * callers can make the service hold at once, before any admission control sees their work.
 */
export interface UploadBudget {
  open (): UploadLease
  readonly usedBytes: number
}

/** What one request holds of the budget. */
export interface UploadLease {
  /** @throws AppError `overloaded` */
  take (bytes: number): void
  /** The bytes are in use until this work has ended, also where the request ends before. */
  keep (work: Promise<unknown>): void
  /** The request has ended. What it holds is given back once nothing uses it any more. */
  close (): void
}

export function createUploadBudget (limitBytes: number): UploadBudget {
  let used = 0
  return {
    get usedBytes () { return used },
    open () {
      let held = 0
      let isOpen = true
      let uses = 1 // the request itself
      const release = (): void => {
        uses--
        if (uses > 0) return
        used -= held
        held = 0
      }
      return {
        take (bytes) {
          if (used + bytes > limitBytes) {
            throw new AppError('overloaded', 'Too many uploads are being received at once; try again after the time in Retry-After.')
          }
          used += bytes
          held += bytes
        },
        keep (work) {
          uses++
          work.then(release, release)
        },
        close () {
          if (!isOpen) return
          isOpen = false
          release()
        }
      }
    }
  }
}

/**
 * Hands every chunk of a stream to `onChunk`, which ends the reading by throwing.
 *
 * @throws AppError what `onChunk` throws, or `invalid_request` where the stream breaks off
 */
export function readChunks (stream: Readable, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (chunk: Uint8Array): void => {
      try {
        onChunk(chunk)
      } catch (error) {
        stream.off('data', onData)
        reject(error)
      }
    }
    const onBroken = (): void => {
      if (stream.readableEnded) return
      reject(new AppError('invalid_request', 'The request broke off within its body; send it again.', { field: 'body' }))
    }
    stream.on('data', onData)
    stream.once('end', resolve)
    stream.once('error', onBroken)
    stream.once('close', onBroken)
  })
}

/** Bytes that arrive in pieces and may not become more than a limit. */
export interface Collector {
  /** @throws AppError `too_large`, `overloaded` */
  add (chunk: Uint8Array): void
  /**
   * All bytes. A view of what was added where that was one piece: memory outside of V8's heap is what makes it collect garbage,
   * and most objects come in one piece. Who keeps the bytes copies them.
   */
  toBytes (): Buffer
}

/**
 * `part` is what an error calls it: the name of a part, or `body`. `shownLimit` is the limit that an error names, where several
 * parts share one.
 */
export function createCollector (part: string, limit: number, lease: UploadLease, shownLimit = limit): Collector {
  const chunks: Uint8Array[] = []
  let size = 0
  return {
    add (chunk) {
      size += chunk.length
      if (size > limit) throw tooLarge(part, shownLimit)
      lease.take(chunk.length)
      chunks.push(chunk)
    },
    toBytes () {
      const [first] = chunks
      if (first !== undefined && chunks.length === 1) return viewOf(first)
      const bytes = Buffer.allocUnsafeSlow(size)
      let offset = 0
      for (const chunk of chunks) {
        bytes.set(chunk, offset)
        offset += chunk.length
      }
      chunks.length = 0 // else both would be held until the request ends
      return bytes
    }
  }
}

/**
 * The same for a body of known length that is going to be kept, as a kernel's BTF: it is received into the shared memory that it will have,
 * and not copied there.
 *
 * @param byteLength as the Content-Length says, at which Node ends a body; that memory is not resident before it is written
 */
export function createSharedCollector (byteLength: number, lease: UploadLease): Collector {
  let bytes: Uint8Array | undefined
  let size = 0
  return {
    add (chunk) {
      lease.take(chunk.length)
      bytes ??= allocateShared(byteLength)
      bytes.set(chunk, size)
      size += chunk.length
    },
    toBytes: () => viewOf(bytes?.subarray(0, size) ?? new Uint8Array())
  }
}

export function tooLarge (part: string, limit: number): AppError {
  const what = part === 'body' ? 'The body' : `The part ${part}`
  return new AppError('too_large', `${what} is larger than the limit of ${limit} bytes.`, { part, limit })
}
