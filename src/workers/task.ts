import { setImmediate } from 'node:timers/promises'
import { BroadcastChannel, workerData } from 'node:worker_threads'
import { AppError } from '../errors.js'
import { detachAll } from './attached-btfs.js'
import { checkObjects } from './check-objects.js'
import { collectGarbage } from './collect.js'
import { beginTask, lowerPriority } from './give-way.js'
import { loadTransfer, transfer } from './pool-transfer.js'
import { forgetTables } from './kernel-layouts.js'
import { layoutVectorOf, layoutVectors, typeDigests } from './layouts.js'
import { openKernel } from './open-kernel.js'
import { prepareBtf, readVerified } from './prepare-btf.js'
import type {
  GivenTask, MinimisedBtf, TaskAnswer, TaskValues, WorkerSetup, WrittenDifferences, WrittenSearch, WrittenTypes
} from './protocol.js'
import { proveResult } from './prove-result.js'
import { forgetObjects, inspect, minimise, relocateObject } from './relocate-object.js'
import { findPlacesIn, writeDifferences, writeFoundTypes, writeObjectTypes, writeTypes } from './write-types.js'

const setup = workerData as Partial<WorkerSetup> | null | undefined // what threads.ts starts workers with
// A command that has little to do has its tasks done by the thread that asks for them: see run-here.ts.
if (setup?.channel !== undefined) setUp(setup.channel, setup.givesWay)

function setUp (name: string, givesWay = false): void {
  const channel = new BroadcastChannel(name)
  channel.onmessage = () => {
    detachAll()
    forgetObjects()
    forgetTables()
    collectGarbage()
  }
  channel.unref()
  if (givesWay) lowerPriority()
  else loadTransfer()
}

/**
 * What a worker is for: does one task, and nothing else until it is done. Errors come back as plain data, because a native Error
 * loses its code on the way.
 */
export default function runTask (task: GivenTask): Answer | Promise<Answer> {
  beginTask(task.others)
  try {
    switch (task.kind) {
      case 'warm': return { ok: true, value: null }
      case 'prepareBtf': {
        const prepared = prepareBtf(task)
        return prepared instanceof Promise ? prepared.then(value => ({ ok: true, value }), failOpening) : { ok: true, value: prepared }
      }
      case 'openKernel': return openKernel(task).then(value => ({ ok: true, value }), failOpening)
      case 'read': {
        const value = readVerified(task)
        return transfer({ ok: true, value }, value.state === 'ready' ? [value.bytes.buffer as ArrayBuffer] : [])
      }
      case 'proveResult': return { ok: true, value: proveResult(task) }
      case 'inspect': return { ok: true, value: inspect(task) }
      case 'check': return { ok: true, value: checkObjects(task) }
      case 'layoutVector': return { ok: true, value: layoutVectorOf(task) }
      case 'layoutVectors': {
        const value = layoutVectors(task)
        return transfer({ ok: true, value }, value.made.map(({ bytes }) => bytes.buffer as ArrayBuffer)) // places are a few hundred bytes
      }
      case 'relocate': {
        const value = relocateObject(task)
        const { report } = value
        const lists = report === undefined ? [] : [report.members, report.failing]
        return transfer({ ok: true, value }, lists.map(({ buffer }) => buffer as ArrayBuffer))
      }
      case 'minimise': return moveBytes(minimise(task))
      case 'writeTypes': return moveBytes(writeTypes(task))
      case 'writeObjectTypes': return moveBytes(writeObjectTypes(task))
      case 'diffTypes': return moveBytes(writeDifferences(task))
      case 'searchTypes': return moveBytes(writeFoundTypes(task))
      case 'typeDigests': return { ok: true, value: typeDigests(task) }
      case 'findPlaces': return { ok: true, value: findPlacesIn(task) }
      default: return task satisfies never
    }
  } catch (error) {
    return toFailure(error)
  }
}

/**
 * What an archive unfolded to before it was refused is shared memory, which nobody else would collect. Not at once: streams
 * that are being torn down still hold it.
 */
async function failOpening (error: unknown): Promise<Answer> {
  await setImmediate()
  collectGarbage()
  return toFailure(error)
}

type Answer = TaskAnswer<TaskValues[keyof TaskValues]>

function moveBytes (value: MinimisedBtf | WrittenTypes | WrittenDifferences | WrittenSearch): Answer {
  return transfer({ ok: true, value }, [value.bytes.buffer as ArrayBuffer])
}

function toFailure (error: unknown): Answer {
  if (error instanceof AppError) return { ok: false, error: error.toJSON(), ...stackOf(error) }
  return {
    ok: false,
    error: { code: 'internal_error', message: 'The engine failed on this input; the service log has the reason.', details: {} },
    stack: String(error instanceof Error ? error.stack : error)
  }
}

function stackOf (error: AppError): { stack?: string } {
  return error.code === 'internal_error' && error.stack !== undefined ? { stack: error.stack } : {}
}
