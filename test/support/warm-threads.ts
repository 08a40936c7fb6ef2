import { startThreads, type StartThreads, type Threads, type ThreadsOptions } from '../../src/workers/threads.js'

/**
 * Gives a service of a test the threads of one that has ended, where there are some. Most of what a start costs is the loading of
 * modules: several times what a test asks of them. What threads remember is named by the hash of its content, and changes no answer.
 * They end with the thread that started them.
 */
export const startWarmThreads: StartThreads = options => {
  const sort = `${options.count} ${options.isBackground}`
  const kept = idle.get(sort)?.pop() ?? create(options)
  kept.user = options
  return {
    ...kept.threads,
    async end () {
      kept.user = undefined
      idle.set(sort, [...idle.get(sort) ?? [], kept])
    }
  }
}

interface Kept {
  readonly threads: Threads
  /** Undefined while nothing uses them. */
  user: ThreadsOptions | undefined
}

const idle = new Map<string, Kept[]>()

function create (options: ThreadsOptions): Kept {
  const threads = startThreads({
    ...options,
    onError: error => { kept.user?.onError(error) },
    onEnded: () => { kept.user?.onEnded() }
  })
  const kept: Kept = { threads, user: options }
  return kept
}
