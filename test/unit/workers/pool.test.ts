import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { applyPatches } from '../../../src/core/index.js'
import { sha256 as hashOf } from '../../../src/store/sha256.js'
import { toShared } from '../../../src/store/shared-bytes.js'
import { ANSWERS, createOthersWork, TASKS } from '../../../src/workers/others-work.js'
import { createWorkerPool, type WorkerPool, type WorkerPoolOptions } from '../../../src/workers/pool.js'
import { NO_TABLE } from '../../../src/workers/protocol.js'
import { runHere } from '../../../src/workers/run-here.js'
import type { StartThreads } from '../../../src/workers/threads.js'
import { failure, fooBtf, fooObject, offsetOfY, slowBtf, temporaryFolder } from '../service/lab.js'

async function startPool (options: Partial<WorkerPoolOptions> = {}): Promise<WorkerPool & { readonly warnings: string[] }> {
  const warnings: string[] = []
  const pool = createWorkerPool({ workers: 1, queue: 10, deadlineMs: 10_000, onWarning: message => warnings.push(message), ...options })
  onTestFinished(() => pool.close())
  await pool.ready()
  return Object.assign(pool, { warnings })
}

async function prepare (pool: WorkerPool, bytes: Uint8Array) {
  const prepared = await pool.run({ kind: 'prepareBtf', source: { bytes: toShared(bytes) }, maxBytes: 1 << 30 })
  if (prepared.state !== 'ready') throw new Error(prepared.state)
  return prepared.btf
}

describe('the worker pool', () => {
  it('parses BTF once, into memory that every worker reads', async () => {
    const pool = await startPool({ workers: 2 })
    const btf = await prepare(pool, fooBtf())
    expect(btf.sha256).toBe(hashOf(fooBtf()))
    expect(btf.parts.bytes).toBeInstanceOf(SharedArrayBuffer)
    expect(btf.parts.index).toBeInstanceOf(SharedArrayBuffer)
    expect(btf.parts.bytes.byteLength).toBe(fooBtf().length)
    const answers = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const object = toShared(fooObject(i))
      const { patches, sha256 } = await pool.run({
        kind: 'relocate', object, objectSha256: hashOf(object), btf, modules: [], report: 'never'
      })
      return { bytes: applyPatches(object, patches), hash: sha256 }
    }))
    for (const { bytes, hash } of answers) {
      expect(offsetOfY({ bytes })).toBe(12)
      expect(hash).toBe(hashOf(bytes))
    }
  })

  it('keeps one copy of a file\'s BTF, and tells absent from damaged', async () => {
    const pool = await startPool()
    const path = join(await temporaryFolder(), 'vmlinux')
    const ask = () => pool.run({ kind: 'prepareBtf', source: { path }, expected: hashOf(fooBtf()), maxBytes: 1e6 })
    expect(await ask()).toEqual({ state: 'absent' })
    await writeFile(path, 'something else')
    expect(await ask()).toEqual({ state: 'damaged' })
    await writeFile(path, fooBtf())
    expect(await ask()).toMatchObject({ state: 'ready', btf: { sha256: hashOf(fooBtf()) } })
    await failure('too_large', pool.run({ kind: 'prepareBtf', source: { path }, maxBytes: 10 }))
    expect(await pool.run({ kind: 'read', path, expected: hashOf(fooBtf()) })).toEqual({ state: 'ready', bytes: fooBtf() })
    expect(await pool.run({ kind: 'read', path, expected: hashOf('x') })).toEqual({ state: 'damaged' })
  })

  it('parses an object once: it knows it again by its hash', async () => {
    const pool = await startPool()
    const btf = await prepare(pool, fooBtf())
    const object = toShared(fooObject())
    const task = { kind: 'relocate' as const, object, objectSha256: hashOf(object), btf, modules: [], report: 'never' as const }
    const first = await pool.run(task)
    expect(await pool.run({ ...task, object: new Uint8Array(0) })).toMatchObject({ sha256: first.sha256, patches: first.patches })
    await failure('object_invalid', pool.run({ ...task, object: new Uint8Array(0), objectSha256: hashOf('another') }))
  })

  it('tells what is in an object', async () => {
    const pool = await startPool()
    const object = toShared(fooObject())
    const { inspection } = await pool.run({ kind: 'inspect', object, wantsInspection: true })
    expect(inspection).toMatchObject({ programs: [{ name: 'a', relocations: 1 }] })
  })

  it('brings errors of the engine across as they are', async () => {
    const pool = await startPool()
    const error = await failure('btf_invalid', prepare(pool, Uint8Array.of(0x9f, 0xeb, 2, ...new Uint8Array(30))))
    expect(error.details).toHaveProperty('offset')
    expect(pool.warnings).toEqual([])
  })

  it('logs a defect and does not show it', async () => {
    const pool = await startPool()
    const error = await failure('internal_error', pool.run({ kind: 'inspect', object: null as never, wantsInspection: false }))
    expect(error.message).not.toContain('null')
    expect(pool.warnings).toEqual(['The engine failed on an input.'])
  })

  it('replaces a worker that it killed at the deadline, time and again', async () => {
    const pool = await startPool({ deadlineMs: 500 })
    for (let i = 1; i <= 2; i++) {
      await failure('deadline_exceeded', prepare(pool, slowBtf()))
      await pool.ready()
      expect(pool.stats()).toMatchObject({ running: 0, queued: 0, restarts: i, deadlinesExceeded: i })
    }
    expect((await prepare(pool, fooBtf())).types).toBe(11)
  })

  it('is ready when its threads have started, though that takes longer than any of its work may', async () => {
    let start = (): void => {}
    const started = new Promise<void>(resolve => { start = resolve })
    // Threads that do nothing before they have started, as on a machine that gives them no time.
    const startThreads: StartThreads = () => ({
      run: async (_task, signal) => await new Promise((resolve, reject) => {
        signal?.on('abort', () => { reject(Object.assign(new Error('killed'), { name: 'AbortError' })) })
        started.then(() => { resolve({ ok: true, value: undefined as never }) }, reject)
      }),
      collectGarbage () {},
      async end () {}
    })
    const pool = createWorkerPool({ workers: 2, queue: 10, deadlineMs: 1, startThreads })
    onTestFinished(() => pool.close())
    const ready = pool.ready()
    await failure('deadline_exceeded', pool.run({ kind: 'inspect', object: new Uint8Array(0), wantsInspection: false }))
    start()
    await ready
  })

  it('can collect garbage in all threads while it works', async () => {
    const pool = await startPool()
    const btf = await prepare(pool, fooBtf())
    for (let i = 0; i < 3; i++) {
      pool.collectGarbage()
      const object = toShared(fooObject(i))
      const { patches } = await pool.run({ kind: 'relocate', object, objectSha256: hashOf(object), btf, modules: [], report: 'never' })
      expect(offsetOfY({ bytes: applyPatches(object, patches) })).toBe(12)
    }
  })

  it('lets what runs finish when it is closed', async () => {
    const pool = await startPool()
    const running = prepare(pool, fooBtf())
    await pool.close()
    expect((await running).types).toBe(11)
    await failure('draining', prepare(pool, fooBtf()))
  })
})

describe('a pool of the background', () => {
  /** Niceness of the threads of this process, as proc(5) has it in the 19th field of stat. */
  const niceOfThreads = (): number[] => readdirSync('/proc/self/task').flatMap(thread => {
    try {
      return Number(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[16])
    } catch {
      return [] // it has ended
    }
  })

  it.runIf(process.platform === 'linux')('has threads that give way, and leaves the others as they are', async () => {
    const own = getPriority()
    const pool = await startPool({ isBackground: true })
    await pool.run({ kind: 'warm' })
    expect(niceOfThreads()).toContain(Math.max(own, 10))
    expect(getPriority()).toBe(own)
  })

  it('counts its tasks where threads that give way see it, also those that fail', async () => {
    const tasks = createOthersWork()
    const pool = await startPool({ work: tasks })
    const running = pool.run({ kind: 'warm' })
    expect(Atomics.load(tasks, 0)).toBe(1)
    await running
    expect(Atomics.load(tasks, 0)).toBe(0)
    await failure('object_invalid', pool.run({ kind: 'inspect', object: toShared(Buffer.from('no ELF')), wantsInspection: false }))
    expect(Atomics.load(tasks, 0)).toBe(0)
  })

  it('has threads give way to all of the work that asks for its tasks, also to work that fails', async () => {
    const tasks = createOthersWork()
    const pool = await startPool({ work: tasks })
    const seen = await pool.expecting(async () => {
      const before = Atomics.load(tasks, 0)
      await pool.run({ kind: 'warm' })
      return [before, Atomics.load(tasks, 0)]
    })
    expect(seen).toEqual([1, 1])
    expect(Atomics.load(tasks, 0)).toBe(0)
    await expect(pool.expecting(() => Promise.reject(new Error('no BTF')))).rejects.toThrow('no BTF')
    expect(Atomics.load(tasks, 0)).toBe(0)
  })

  it('tells threads that give way of requests that were answered without a task', async () => {
    const work = createOthersWork()
    const pool = await startPool({ work })
    for (const answers of [1, 2]) {
      pool.noteAnswer()
      expect([Atomics.load(work, TASKS), Atomics.load(work, ANSWERS)]).toEqual([0, answers])
    }
  })

  it('gets the work of the background done although others always have tasks', async () => {
    const tasks = createOthersWork().fill(1)
    const pool = await startPool({ isBackground: true, work: tasks, deadlineMs: 100_000 })
    const object = toShared(fooObject())
    const path = join(await temporaryFolder(), 'vmlinux')
    await writeFile(path, fooBtf())
    const btf = { paths: [path], sha256: hashOf(fooBtf()) }
    const sources = [{ sha256: btf.sha256, path: '/nowhere', btf }, { sha256: hashOf('another'), path: '/nowhere' }]
    const { read, vectors, places, made } = await pool.run({
      kind: 'layoutVectors', objects: [{ object, objectSha256: hashOf(object) }], sources
    })
    expect({ vectors: vectors.length, places: [...places.slice(0, read)], made: made.map(({ source }) => source) })
      .toEqual({ vectors: 1, places: [0, NO_TABLE].slice(0, read), made: [0] })
  })

  it('judges objects on a kernel that is in memory, and on one that only a file has', async () => {
    const pool = await startPool({ isBackground: true })
    const object = toShared(fooObject())
    const run = { object, objectSha256: hashOf(object), releases: ['6.1.0', '5.4.0'] }
    const path = join(await temporaryFolder(), 'vmlinux')
    await writeFile(path, fooBtf())
    const file = { paths: ['/nowhere', path], sha256: hashOf(fooBtf()) }
    for (const btf of [await prepare(pool, fooBtf()), file]) {
      const found = await pool.run({ kind: 'check', btf, modules: [], runs: [run] })
      const outcomes = found.state === 'ready' ? found.outcomes : []
      expect(outcomes.map(texts => 'fault' in texts ? texts : texts.map(({ json }) => JSON.parse(json).state)))
        .toEqual([['loads', 'loads']])
    }
    const other = { paths: [path], sha256: hashOf('another') }
    expect(await pool.run({ kind: 'check', btf: other, modules: [], runs: [run] })).toEqual({ state: 'absent', sha256: other.sha256 })
  })
})

describe('a pool without threads', () => {
  it('does tasks one after the other where it is asked for them, and lets others have their turn in between', async () => {
    const pool = await startPool({ isBackground: true, startThreads: runHere })
    const objects = [1, 2, 3].map(serial => toShared(fooObject(serial)))
    const order: string[] = []
    const asked = objects.map(async (object, i) => {
      const { sha256 } = await pool.run({ kind: 'inspect', object, wantsInspection: false })
      order.push(`task ${i}`)
      return sha256
    })
    const turn = new Promise<void>(resolve => {
      setImmediate(() => {
        order.push('another')
        resolve()
      })
    })
    expect(await Promise.all(asked)).toEqual(objects.map(hashOf))
    await turn
    expect(order.indexOf('another')).toBeLessThan(2)
  })

  it('passes on what is wrong with an object, and goes on', async () => {
    const pool = await startPool({ isBackground: true, startThreads: runHere })
    await failure('object_invalid', pool.run({ kind: 'inspect', object: toShared(new Uint8Array(64)), wantsInspection: false }))
    const object = toShared(fooObject())
    expect(await pool.run({ kind: 'inspect', object, wantsInspection: false })).toMatchObject({ sha256: hashOf(object) })
  })
})
