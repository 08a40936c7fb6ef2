import { createHash } from 'node:crypto'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { AppError } from '../../errors.js'
import { createByteSource } from '../../formats/streaming/byte-source.js'
import { createPayloadHash } from './rpm-signature.js'
import type { PackageTask, PackageTaskValues, PackageWorkerData, WorkerMessage } from './protocol.js'
import { readIndex } from './read-index.js'
import { extractKernel, extractModules, openPackage, type PayloadPromise } from './read-package.js'

/**
 * A worker for one package or index that is being downloaded: takes it piece by piece and waits for the next in place, so that decoders which read on demand
 * need not know of it. All is read to its end and hashed; what was found counts only if the hash is right.
 */
const { task, pieces, sent } = workerData as PackageWorkerData // what receive.ts starts it with

const hash = createHash('sha256')
let payload: ReturnType<typeof createPayloadHash> | undefined
let atEnd = false

const say = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void => { parentPort?.postMessage(message, transfer) }

function pull (): Uint8Array | undefined {
  if (atEnd) return undefined
  for (;;) {
    const before = Atomics.load(sent, 0)
    const received: { message: unknown } | undefined = receiveMessageOnPort(pieces)
    if (received === undefined) {
      Atomics.wait(sent, 0, before)
      continue
    }
    if (!(received.message instanceof Uint8Array)) {
      atEnd = true
      return undefined
    }
    hash.update(received.message)
    payload?.update(received.message)
    say({ taken: received.message.length })
    return received.message
  }
}

async function work (given: PackageTask): Promise<PackageTaskValues[keyof PackageTaskValues]> {
  const source = createByteSource(pull, 'package')
  let promise: PayloadPromise | undefined
  const outcome = await attempt(async () => {
    if (given.kind === 'packages' || given.kind === 'primary') return await readIndex(given, source)
    const opened = await openPackage(given, source, () => {
      payload = createPayloadHash()
      payload.update(source.held()) // the start of it has come with the headers
    })
    promise = opened.promise
    return given.kind === 'kernel' ? await extractKernel(opened.files, given) : await extractModules(opened.files, given)
  })
  while (pull() !== undefined); // what is left is only hashed
  const found = hash.digest('hex')
  if (given.sha256 !== undefined && found !== given.sha256) {
    throw new AppError('source_invalid', `What came as ${given.what} has the SHA-256 ${found}, not the ${given.sha256} that the index names.`)
  }
  if (promise !== undefined && payload?.hex() !== promise.sha256) throw new AppError('source_invalid', `What is in ${given.what} does not have the hash that its signed header names.`)
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

async function attempt<T> (run: () => Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await run() }
  } catch (error) {
    return { error }
  }
}

work(task).then(done => {
  const transfer = 'btf' in done ? [done.btf.buffer as ArrayBuffer] : []
  say({ done }, transfer)
}, (error: unknown) => {
  const known = error instanceof AppError ? error : new AppError('internal_error', `The package could not be read: ${error instanceof Error ? error.stack ?? error.message : String(error)}`)
  say({ error: known.toJSON() })
}).finally(() => { pieces.close() })
