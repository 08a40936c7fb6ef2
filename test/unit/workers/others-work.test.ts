import { expect, it } from 'vitest'
import { ANSWERS, createLookout, createOthersWork, TASKS } from '../../../src/workers/others-work.js'

it('requests count as coming from the first one that is seen until a moment after the last', () => {
  const work = createOthersWork()
  const look = createLookout(work)
  const none = { isBusy: false, isVisited: false }
  const lately = { isBusy: false, isVisited: true }
  expect(look(1000)).toEqual(none)
  Atomics.add(work, ANSWERS, 1)
  expect([look(1001), look(1050)]).toEqual([lately, lately])
  expect(look(2000)).toEqual(none)
  Atomics.add(work, TASKS, 1)
  expect(look(2001)).toEqual({ isBusy: true, isVisited: true })
  Atomics.sub(work, TASKS, 1)
  expect([look(2050), look(3000)]).toEqual([lately, none])
})

it('requests that came before anybody looked do not count', () => {
  const work = createOthersWork()
  Atomics.add(work, ANSWERS, 7)
  expect(createLookout(work)(1000)).toEqual({ isBusy: false, isVisited: false })
})
