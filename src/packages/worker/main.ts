import { createHash, type Hash } from 'node:crypto'
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { AppError } from '../../errors.js'
import { createByteReader } from '../../formats/byte-reader.js'
import { collectGarbage } from '../../workers/collect.js'
import type { PackageTask, PackageTaskValues, PackageWorkerData, WorkerMessage } from './protocol.js'
import { readIndex } from './read-index.js'
import { extractKernel, extractModules, openPackage } from './read-package.js'
import { verifyRpmHeader } from './rpm-signature.js'

/**
 * A worker for one package or index that is being downloaded. All of it is read and hashed; what was found counts only if the
 * hash is right.
 */
const { task, pieces } = workerData as PackageWorkerData // what receive.ts starts it with

/**
 * Bytes that arrive between two collections: while they are unpacked, to five times as many, and while they are only hashed. They are in
 * buffers, which V8 by itself lets lie for longer.
 */
const COLLECT_AFTER = { unpacking: 1024 * 1024, hashing: 2 * 1024 * 1024 } as const

const say = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void => { parentPort?.postMessage(message, transfer) }

/** What arrives, hashed as it comes. The first pieces are kept until it is known where the headers end, where those are signed. */
function createArrival (keepsStart: boolean) {
  let sinceCollected = 0
  let collectAfter: number = COLLECT_AFTER.unpacking
  const hash = createHash('sha256')
  const start: Uint8Array[] = []
  let payload: Hash | undefined
  let isKept = keepsStart

  async function * all (): AsyncGenerator<Uint8Array> {
    const queue: unknown[] = []
    pieces.on('message', (piece: unknown) => { queue.push(piece) })
    for (;;) {
      const piece = queue.length > 0 ? queue.shift() : await once(pieces, 'message').then(() => queue.shift())
      if (!(piece instanceof Uint8Array)) return
      hash.update(piece)
      if (isKept) start.push(piece)
      payload?.update(piece)
      say({ taken: piece.length })
      sinceCollected += piece.length
      if (sinceCollected > collectAfter) {
        sinceCollected = 0
        collectGarbage()
      }
      yield piece
    }
  }
  const arriving = all()
  return {
    /** Its end does not end what arrives. */
    async * read (): AsyncGenerator<Uint8Array> {
      for (let next = await arriving.next(); next.done !== true; next = await arriving.next()) yield next.value
    },
    /** The first bytes; all behind them is the payload. */
    split (at: number): Uint8Array {
      const kept = Buffer.concat(start)
      isKept = false
      start.length = 0
      payload = createHash('sha256').update(kept.subarray(at))
      return kept.subarray(0, at)
    },
    /** Reads what is left. */
    async finish (): Promise<{ readonly sha256: string, readonly payload: string | undefined }> {
      collectAfter = COLLECT_AFTER.hashing
      while ((await arriving.next()).done !== true);
      return { sha256: hash.digest('hex'), payload: payload?.digest('hex') }
    }
  }
}

async function work (given: PackageTask): Promise<PackageTaskValues[keyof PackageTaskValues]> {
  const signedBy = 'signedBy' in given ? given.signedBy : undefined
  const arrival = createArrival(signedBy !== undefined)
  const reader = createByteReader(arrival.read(), 'package')
  let promised: string | undefined
  const outcome = await attempt(async () => {
    if (given.kind === 'packages' || given.kind === 'primary') return await readIndex(given, reader)
    const files = await openPackage(given, reader)
    if (signedBy !== undefined) promised = await verifyRpmHeader(arrival.split(reader.consumed), signedBy)
    return given.kind === 'kernel' ? await extractKernel(files, given) : await extractModules(files, given)
  })
  const { sha256, payload } = await arrival.finish()
  if (given.sha256 !== undefined && sha256 !== given.sha256) {
    throw new AppError('source_invalid',
      `${given.what} has the SHA-256 ${sha256}, but the index names ${given.sha256}.`)
  }
  if (promised !== undefined && payload !== promised) {
    throw new AppError('source_invalid', `The content of ${given.what} does not have the hash that its signed header names.`)
  }
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

/** What is moved rather than copied. */
function buffersOf (done: PackageTaskValues[keyof PackageTaskValues]): ArrayBuffer[] {
  if ('btf' in done) return [done.btf.buffer]
  return done.flatMap(({ bytes }) => typeof bytes === 'number' ? [] : bytes.buffer)
}

async function attempt<T> (run: () => Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await run() }
  } catch (error) {
    return { error }
  }
}

work(task).then(done => {
  say({ done }, buffersOf(done))
}, (error: unknown) => {
  const known = error instanceof AppError
    ? error
    : new AppError('internal_error',
        `The package could not be read: ${error instanceof Error ? error.stack ?? error.message : String(error)}`)
  say({ error: known.toJSON() })
}).finally(() => { pieces.close() })
