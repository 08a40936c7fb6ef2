import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../errors.js'
import { errorCode } from '../store/error-code.js'
import type { Copies } from './copies.js'
import type { Journal } from './journal.js'
import type { Node, NodeKernel } from './node.js'
import { listObjects, type ObjectFile } from './objects.js'
import type { Schedule } from './schedule.js'
import type { Settled, Settler } from './settle.js'
import { UNSETTLED, type ObjectStatus } from './status.js'

/** Keeps the results of a folder of objects as they should be for the kernel that runs. */
export interface Agent {
  /** Until the signal aborts. */
  watch(signal: AbortSignal): Promise<void>
  /** Until every object is settled, or the time is up while the service cannot be asked. */
  once(withinMs: number, signal: AbortSignal): Promise<void>
  /** By object; undefined before all were looked at. */
  readonly statuses: ReadonlyMap<string, ObjectStatus> | undefined
}

export interface AgentOptions {
  readonly objects: string
  readonly pollMs: number
  /** Within what time of the start copies that are good already are asked about. */
  readonly spreadMs: number
  readonly node: Node
  readonly copies: Copies
  readonly settler: Settler
  readonly schedule: Schedule
  readonly journal: Journal
  readonly onChange: (statuses: ReadonlyMap<string, ObjectStatus>) => void
}

export function createAgent (options: AgentOptions): Agent {
  const { copies, settler, schedule, journal } = options
  const files = new Map<string, ObjectFile>()
  const statuses = new Map<string, ObjectStatus>()
  let kernel: NodeKernel | undefined
  let modulesStamp = ''
  let isComplete = false

  const setStatus = (name: string, status: ObjectStatus): void => {
    statuses.set(name, status)
    options.onChange(statuses)
  }

  const take = async (current: NodeKernel, file: ObjectFile, spreadMs: number): Promise<void> => {
    const status = await foreseen(() => settler.restore(current, file))
    setStatus(file.name, status)
    journal.restored(file.name, status)
    if (file.problem !== undefined) schedule.forget(file.name)
    else schedule.set(file.name, performance.now() + (status.shown === 'last_good' ? spreadMs * Math.random() : 0))
    files.set(file.name, file) // at last: an object of which anything failed is taken again
  }

  /** A mistake of ours with one object must not stop the others; it is told, counted, and tried again. */
  const foreseen = async (work: () => Promise<ObjectStatus>, signal?: AbortSignal): Promise<ObjectStatus> => {
    try {
      return await work()
    } catch (error) {
      if (signal?.aborted !== true) journal.unexpected(error)
      return { shown: 'nothing', failure: toTrouble(error), isFinding: false }
    }
  }

  const drop = async (name: string): Promise<void> => {
    await settler.remove(name)
    files.delete(name)
    statuses.delete(name)
    schedule.forget(name)
    journal.removed(name)
    options.onChange(statuses)
  }

  /** Looks at the kernel and at the folder, and takes note of what changed. */
  const look = async (spreadMs: number): Promise<NodeKernel> => {
    const current = await options.node.identify()
    const found = await listObjects(options.objects)
    const isNewKernel = current.key !== kernel?.key
    if (isNewKernel) {
      // Before anything else: what is there must not be taken for good on this kernel.
      journal.kernel(current, await copies.withdrawOthers(current, found.map(({ name }) => name)))
      kernel = current
      files.clear() // each is taken for it, also where something fails before its turn
    }
    if (!isNewKernel && current.modulesStamp !== modulesStamp) {
      for (const name of files.keys()) if (settler.asksModules(name)) schedule.set(name, performance.now())
    }
    modulesStamp = current.modulesStamp
    const names = new Set(found.map(({ name }) => name))
    for (const name of [...statuses.keys()].filter(name => !names.has(name))) await drop(name)
    for (const file of found) {
      const before = files.get(file.name)
      if (before === undefined || before.stamp !== file.stamp || before.problem !== file.problem) await take(current, file, spreadMs)
    }
    return current
  }

  const turn = async (spreadMs: number, signal: AbortSignal): Promise<void> => {
    try {
      const current = await look(spreadMs)
      for (const [name, file] of files) {
        if (signal.aborted) return
        if (!schedule.isDue(name, performance.now())) continue
        let answer: Settled['answer']
        const status = await foreseen(async () => {
          const settled = await settler.settle(current, file, signal)
          answer = settled.answer
          return settled.status
        }, signal)
        if (signal.aborted) return
        const now = performance.now()
        const mayPass = status.failure !== undefined && !status.isFinding
        const wait = mayPass ? schedule.failed(name, status.failure, now) : undefined
        if (!mayPass) schedule.settled(name, now)
        setStatus(name, status)
        journal.settled(name, status, answer, wait)
      }
      isComplete = true
    } catch (error) {
      if (signal.aborted) return
      if (isForeseen(error)) journal.trouble(toTrouble(error))
      else journal.unexpected(error)
    }
  }

  return {
    async watch (signal) {
      for (let spreadMs = options.spreadMs; !signal.aborted; spreadMs = 0) {
        await turn(spreadMs, signal)
        await pause(Math.min(options.pollMs, Math.max(MIN_PAUSE_MS, schedule.next() - performance.now())), signal)
      }
    },
    async once (withinMs, signal) {
      const end = performance.now() + withinMs
      do await turn(0, signal)
      while (schedule.isHeldUp && schedule.heldUntil < end && await pause(schedule.heldUntil - performance.now(), signal))
      for (const { name } of await listObjects(options.objects).catch(() => [])) if (!statuses.has(name)) setStatus(name, UNSETTLED)
    },
    get statuses () { return isComplete ? statuses : undefined }
  }
}

const MIN_PAUSE_MS = 10

/** @returns false where the signal cut it short */
async function pause (ms: number, signal: AbortSignal): Promise<boolean> {
  return await sleep(Math.max(0, ms), undefined, { signal }).then(() => true, () => false)
}

function isForeseen (error: unknown): boolean { return error instanceof AppError || errorCode(error) !== undefined }

function toTrouble (error: unknown): AppError {
  if (error instanceof AppError) return error
  const text = error instanceof Error ? error.message : String(error)
  const message = isForeseen(error)
    ? `The agent cannot go on until this is mended: ${text}.`
    : `Something went wrong in the agent itself: ${text}.`
  return new AppError('internal_error', message, {}, { cause: error })
}
