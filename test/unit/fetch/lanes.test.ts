import { describe, expect, it } from 'vitest'
import { createErrand, createLanes } from '../../../src/fetch/lanes.js'

/** Work that ends when the test says so. `began` has the names in the order in which they began. */
function lab (most: number) {
  const lanes = createLanes(most)
  const began: string[] = []
  const ends = new Map<string, () => void>()
  const settle = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
  const begin = (name: string, isAhead: boolean) => {
    const errand = createErrand(isAhead)
    const done = lanes.run(errand, async () => {
      began.push(name)
      await new Promise<void>(resolve => { ends.set(name, resolve) })
      return name
    })
    return { ...errand, done }
  }
  const end = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) ends.get(name)?.()
    await settle()
  }
  return { began, ahead: (name: string) => begin(name, true), wait: (name: string) => begin(name, false), end, settle, lanes }
}

describe('lanes', () => {
  it('let what somebody waits for begin whatever is done ahead', async () => {
    const { began, ahead, wait, end, settle } = lab(2)
    for (const name of ['a1', 'a2', 'a3']) ahead(name)
    await settle()
    expect(began).toEqual(['a1'])
    for (const name of ['w1', 'w2', 'w3']) wait(name)
    await settle()
    expect(began).toEqual(['a1', 'w1', 'w2'])
    await end('a1')
    expect(began).toEqual(['a1', 'w1', 'w2']) // nothing more is begun ahead while somebody waits
    await end('w1')
    await end('w2')
    expect(began).toEqual(['a1', 'w1', 'w2', 'w3', 'a2'])
  })

  it('do so where one runs at a time, beside one that is done ahead', async () => {
    const { began, ahead, wait, end, settle } = lab(1)
    ahead('a1')
    ahead('a2')
    wait('w1')
    wait('w2')
    await settle()
    expect(began).toEqual(['a1', 'w1'])
    await end('w1', 'a1')
    expect(began).toEqual(['a1', 'w1', 'w2'])
    await end('w2')
    expect(began).toEqual(['a1', 'w1', 'w2', 'a2'])
  })

  it('let what was to be done ahead begin at once when somebody comes for it', async () => {
    const { began, ahead, end, settle } = lab(2)
    ahead('a1')
    const [, a3] = [ahead('a2'), ahead('a3')]
    await settle()
    a3.await()
    await settle()
    expect(began).toEqual(['a1', 'a3'])
    await end('a1')
    expect(began).toEqual(['a1', 'a3', 'a2'])
  })

  it('go on after work that failed', async () => {
    const { lanes } = lab(1)
    const failing = lanes.run(createErrand(false), async () => { throw new Error('down') })
    const next = lanes.run(createErrand(false), async () => 'up')
    await expect(failing).rejects.toThrow('down')
    expect(await next).toBe('up')
  })
})
