import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ANSWERS, createOthersWork } from '../../../src/workers/others-work.js'
import { createPauses } from '../../../src/workers/pauses.js'

const tasksOf = (count: number) => createOthersWork().fill(count)
/** Enough for whatever does not wait for something else. */
const turns = async () => { for (let i = 0; i < 20; i++) await setImmediate() }

it('work on the event loop goes on after the tasks of requests', async () => {
  const tasks = tasksOf(2)
  const pause = createPauses({ work: tasks, sliceMs: 0, maxWaitMs: Infinity })
  const happened: string[] = []
  const paused = Promise.resolve(pause()).then(() => { happened.push('check') })
  for (const name of ['first', 'second']) {
    await turns()
    happened.push(name)
    Atomics.sub(tasks, 0, 1)
  }
  await paused
  expect(happened).toEqual(['first', 'second', 'check'])
})

it('work on the event loop rests while requests come, and does not where none came', async () => {
  const work = createOthersWork()
  const pause = createPauses({ work, sliceMs: 0, restMs: 60_000 })
  await pause()
  Atomics.add(work, ANSWERS, 1)
  const resumed = Promise.resolve(pause()).then(() => 'goes on')
  expect(await Promise.race([resumed, turns().then(() => 'rests')])).toBe('rests')
})

it('work on the event loop goes on although there always are tasks', async () => {
  const pause = createPauses({ work: tasksOf(1), sliceMs: 0, maxWaitMs: 1 })
  for (let i = 0; i < 3; i++) await pause()
})

it('works that pause at a time have their turns one after the other, with room for others between them', async () => {
  const pause = createPauses({ sliceMs: 0 })
  const happened: string[] = []
  const others = (async () => {
    for (let i = 0; i < 10; i++) {
      await setImmediate()
      happened.push('other')
    }
  })()
  await Promise.all([...['one', 'two', 'three'].map(name => Promise.resolve(pause()).then(() => { happened.push(name) })), others])
  const own = happened.filter(name => name !== 'other')
  expect(own).toEqual(['one', 'two', 'three'])
  expect(happened.join()).not.toMatch(/one,two|two,three/)
})

it('does not pause after a moment of work', () => {
  expect(createPauses({ sliceMs: Infinity })()).toBeUndefined()
})
