import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { withOpenFile } from '../../../src/store/open-files.js'

it('no more files are open at a time than a process can spare, and all that wait have their turn, in their order', async () => {
  const begun: number[] = []
  let isOpen = 0
  let most = 0
  const results = await Promise.allSettled(Array.from({ length: 200 }, async (_, i) => await withOpenFile(async () => {
    begun.push(i)
    most = Math.max(most, ++isOpen)
    await setImmediate()
    isOpen--
    if (i % 3 === 0) throw new Error(`${i} cannot be read`)
    return i
  })))
  expect(most).toBe(32)
  expect(begun).toEqual(Array.from({ length: 200 }, (_, i) => i))
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(67)
  expect(await withOpenFile(async () => await Promise.resolve('one more'))).toBe('one more')
})
