import { createRequire } from 'node:module'
import { MessageChannel, Worker } from 'node:worker_threads'
import { AppError } from '../errors.js'
import { collectYoungGarbage } from '../workers/collect.js'
import type { PackageTask, PackageTaskValues, PackageWorkerData, WorkerMessage } from './worker/protocol.js'

/** Bytes on the way to a worker that it has not taken yet. Beyond that, nothing more is read from the origin. */
const MOST_ON_THE_WAY = 1024 * 1024
/** Bytes that were sent between two collections: each piece was copied from one that is garbage then. */
const COLLECT_AFTER = 2 * 1024 * 1024
/** Heap of a worker in MiB, and the part of it for what is new. What it reads is outside of it. */
const HEAP_MB = 256
const YOUNG_MB = 2

type Value<T extends PackageTask> = PackageTaskValues[T['kind']]

/**
 * Has a worker of its own read what arrives, separate from the pool that answers requests. Nothing is held but what is on the way, and
 * its memory goes with the worker.
 *
 * @throws AppError of the task; whatever `pieces` throws
 */
export async function receive<T extends PackageTask> (
  task: T, pieces: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void
): Promise<Value<T>> {
  const { port1, port2 } = new MessageChannel()
  const workerData: PackageWorkerData = { task, pieces: port2 }
  const worker = new Worker(createRequire(import.meta.url).resolve('#package-worker'), {
    workerData,
    transferList: [port2],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: YOUNG_MB }
  })
  let onTheWay = 0
  let sinceCollected = 0
  let wake = (): void => {}
  let failure: unknown
  const answered = new Promise<Value<T>>((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if ('taken' in message) {
        onTheWay -= message.taken
        onBytes(message.taken)
        wake()
      } else if ('done' in message) {
        resolve(message.done as Value<T>) // the worker answers with the value of the task's kind
      } else {
        reject(AppError.fromJSON(message.error))
      }
    })
    worker.on('error', error => {
      const why = error instanceof Error ? error.message : String(error)
      reject(new AppError('internal_error', `The worker that read ${task.what} died: ${why}.`))
    })
    worker.on('exit', () => { reject(new AppError('internal_error', `The worker that read ${task.what} ended unexpectedly.`)) })
  })
  answered.catch((error: unknown) => {
    failure = error
    wake()
  })
  const isCrowded = (): boolean => onTheWay > MOST_ON_THE_WAY && failure === undefined
  const post = (piece: Uint8Array | null): void => {
    if (piece === null) port1.postMessage(null)
    else {
      const own = new Uint8Array(piece) // a view would be sent with all of the buffer behind it
      port1.postMessage(own, [own.buffer])
    }
  }
  try {
    for await (const piece of pieces) {
      if (failure !== undefined) break
      onTheWay += piece.length
      sinceCollected += piece.length
      post(piece)
      if (sinceCollected > COLLECT_AFTER) {
        sinceCollected = 0
        collectYoungGarbage()
      }
      while (isCrowded()) await new Promise<void>(resolve => { wake = resolve })
    }
    if (failure === undefined) post(null)
    return await answered
  } finally {
    port1.close()
    await worker.terminate()
  }
}
