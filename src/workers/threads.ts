import { randomUUID } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { BroadcastChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Task, TaskAnswer, TaskValue, WorkerSetup } from './protocol.js'

export interface ThreadsOptions {
  readonly count: number
  /** Threads that give way to all others, that start with the first task and end when there has been none for a while. */
  readonly isBackground: boolean
  /** A thread failed while it had nothing to do. */
  readonly onError: (error: unknown) => void
  /** A thread has ended: killed, dead, or one of the background that had nothing to do. */
  readonly onEnded: () => void
}

/** Threads that are kept, each of which does one task at a time. What is asked for while all are busy waits. */
export interface Threads {
  /** The worker's answer. 'abort' of the emitter kills the thread that has the task, and rejects with an error named AbortError. */
  run<T extends Task>(task: T, signal?: EventEmitter): Promise<TaskAnswer<TaskValue<T>>>
  /** Asks every one of them to collect garbage: see collect.ts. */
  collectGarbage(): void
  /** Ends the threads, whatever they do. */
  end(): Promise<void>
}

export type StartThreads = (options: ThreadsOptions) => Threads

/** Heap of one worker, in MiB. It bounds what a hostile input can make the engine hold; bytes are bounded by input limits. */
const HEAP_MB = 512

/** How long a thread of the background is kept without work: it starts in 50 to 85 ms, and takes 200 until its code is compiled. */
const IDLE_MS = 60_000

/** Starts the threads at once, but for those of the background: a start costs 50 to 85 ms. */
export const startThreads: StartThreads = ({ count, isBackground, onError, onEnded }) => {
  const setup: WorkerSetup = { channel: `corelo-${randomUUID()}`, givesWay: isBackground }
  const channel = new BroadcastChannel(setup.channel)
  channel.unref()
  const piscina = new Piscina<Task, TaskAnswer<TaskValue<Task>>>({
    filename: createRequire(import.meta.url).resolve('#worker-task'),
    minThreads: isBackground ? 0 : count,
    maxThreads: count,
    idleTimeout: isBackground ? IDLE_MS : Infinity,
    concurrentTasksPerWorker: 1,
    atomics: 'disabled',
    recordTiming: false,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    workerData: setup
  })
  piscina.on('error', onError)
  piscina.on('workerDestroy', onEnded)
  return {
    // The worker answers with the value of the task's kind.
    run: <T extends Task>(task: T, signal?: EventEmitter) =>
      piscina.run(task, signal === undefined ? {} : { signal }) as Promise<TaskAnswer<TaskValue<T>>>,
    collectGarbage () { channel.postMessage('collect') },
    async end () {
      channel.close()
      await piscina.destroy()
    }
  }
}
