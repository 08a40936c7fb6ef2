import { EventEmitter } from 'node:events'
import { AppError } from '../errors.js'
import { createAdmission } from './admission.js'
import { noteRequest } from './compile-later.js'
import { ANSWERS, TASKS, type OthersWork } from './others-work.js'
import type { Task, TaskValue } from './protocol.js'
import { startThreads, type StartThreads } from './threads.js'

export interface WorkerPoolOptions {
  readonly workers: number
  /** Tasks that may wait for a worker. */
  readonly queue: number
  /** Milliseconds from asking to the answer, waiting included. A worker that is still at it then is killed and replaced. */
  readonly deadlineMs: number
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /**
   * For work that nobody must notice: threads that give way to all others, that start with the first task and end when there has been
   * none for a while. A task's time counts from its start, since what waits here may wait.
   */
  readonly isBackground?: boolean
  /**
   * What threads do that do not give way. A pool of such threads counts its own work there, one of the background waits for it between
   * pieces of its work.
   */
  readonly work?: OthersWork | undefined
  /** Where its threads come from. Undefined: they are its own. */
  readonly startThreads?: StartThreads
}

export interface WorkerPool {
  /**
   * Runs a task on a worker.
   *
   * @throws AppError whatever the task threw; `overloaded`, `deadline_exceeded`, `draining`; `internal_error` for a worker that died
   */
  run<T extends Task>(task: T): Promise<TaskValue<T>>
  /** Does work that asks for tasks. Threads of the background give way from its beginning to its end, as they do for tasks. */
  expecting<T>(work: () => Promise<T>): Promise<T>
  /** Notes that a request was answered without a task. */
  noteAnswer(): void
  /** Resolves when every thread has started, however long that takes. */
  ready(): Promise<void>
  /** Asks every one of its threads to collect garbage: see collect.ts. */
  collectGarbage(): void
  stats(): WorkerPoolStats
  /** Waits for what runs, refuses what waits, and ends the threads. */
  close(): Promise<void>
}

export interface WorkerPoolStats {
  readonly running: number
  readonly queued: number
  readonly refused: number
  /** Threads that died or were killed, and were replaced. */
  readonly restarts: number
  readonly deadlinesExceeded: number
}

/** A pool whose threads start at once and are kept, but for those of the background. */
export function createWorkerPool (options: WorkerPoolOptions): WorkerPool {
  const warn = options.onWarning ?? (() => {})
  const { work, isBackground = false } = options
  const counted = isBackground ? undefined : work
  const admission = createAdmission({ run: options.workers, queue: options.queue })
  const counts = { restarts: 0, deadlinesExceeded: 0 }
  let isClosing = false
  const threads = (options.startThreads ?? startThreads)({
    count: options.workers,
    isBackground,
    onError: error => { warn('A worker failed while it had nothing to do.', { error: String(error) }) },
    onEnded: () => { if (!isClosing && !isBackground) counts.restarts++ }
  })

  const begin = (): void => { if (counted !== undefined) Atomics.add(counted, TASKS, 1) }
  const end = (): void => { if (counted !== undefined && Atomics.sub(counted, TASKS, 1) === 1) Atomics.notify(counted, TASKS) }

  const toAppError = (error: unknown, kind: Task['kind']): AppError => {
    if (error instanceof AppError) return error
    const facts = { task: kind, error: String(error) }
    if (isClosing) return new AppError('draining', 'The service is stopping; ask another replica.', { retry_after: 1 }, { cause: error })
    if (error instanceof Error && error.name === 'AbortError') {
      counts.deadlinesExceeded++
      warn('A worker was killed, because its task was not done by the deadline.', facts)
      return new AppError('deadline_exceeded', `The work was not done within ${options.deadlineMs} ms.`,
        { deadline_ms: options.deadlineMs }, { cause: error })
    }
    warn('A worker died.', facts)
    return new AppError('internal_error', 'A worker died over this request; the service log has the reason.', {}, { cause: error })
  }

  const pool: WorkerPool = {
    // Without a deadline: how long a start takes is the machine's affair, and a pod that is throttled starts slowly.
    async ready () { if (!isBackground) await Promise.all(Array.from({ length: options.workers }, () => threads.run({ kind: 'warm' }))) },
    async run<T extends Task>(task: T) {
      if (!isBackground) noteRequest()
      const asked = performance.now()
      const wait = admission.enter(isBackground ? Infinity : asked + options.deadlineMs)
      if (wait !== undefined) await wait
      const started = performance.now()
      const waited = isBackground ? 0 : started - asked
      // An emitter instead of an AbortSignal: piscina takes both, and this one costs a tenth.
      const signal = new EventEmitter()
      const timer = setTimeout(() => { signal.emit('abort') }, options.deadlineMs - waited)
      begin()
      try {
        const answer = await threads.run(isBackground ? { ...task, others: work } : task, signal)
        if (answer.ok) return answer.value
        if (answer.stack !== undefined) warn('The engine failed on an input.', { task: task.kind, stack: answer.stack })
        throw AppError.fromJSON(answer.error)
      } catch (error) {
        throw toAppError(error, task.kind)
      } finally {
        clearTimeout(timer)
        end()
        admission.leave(performance.now() - started)
      }
    },
    noteAnswer () {
      noteRequest()
      if (counted !== undefined) Atomics.add(counted, ANSWERS, 1)
    },
    async expecting (asking) {
      begin()
      try {
        return await asking()
      } finally {
        end()
      }
    },
    collectGarbage () {
      if (!isClosing) threads.collectGarbage()
    },
    stats: () => ({
      running: admission.running,
      queued: admission.queued,
      refused: admission.refused,
      ...counts
    }),
    async close () {
      await admission.close()
      isClosing = true
      await threads.end()
    }
  }
  return pool
}
