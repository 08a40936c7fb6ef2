import { createRequire } from 'node:module'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Task, TaskAnswer, TaskValue } from './protocol.js'
import type runTask from './task.js'
import type { StartThreads } from './threads.js'

/**
 * Does tasks in the thread that asks for them, one after the other: for a command with so little to do that a thread takes longer to start.
 * Nothing ends a task that takes too long, so that kernels should be those that a service of ours took in.
 */
export const runHere: StartThreads = () => ({
  async run<T extends Task> (task: T) {
    // As threads have it: one file.
    const { default: run } = await import(pathToFileURL(WORKER).href) as { readonly default: typeof runTask }
    await setImmediate() // signals come first, and what is shown of the progress
    return await run(task) as TaskAnswer<TaskValue<T>> // it answers with the value of the task's kind
  },
  collectGarbage () {},
  async end () {}
})

const WORKER = createRequire(import.meta.url).resolve('#worker-task')
