import { describe, expect, it } from 'vitest'
import { createFairShare } from '../../../src/workers/fair-share.js'

const LIMITS = { running: 2, allRunning: 3, waiting: 3, allWaiting: 5 }

/** Work that ends when the test says so. `began` has the names in the order in which they began. */
function lab (limits = LIMITS) {
  const share = createFairShare(limits)
  const began: string[] = []
  const ends = new Map<string, () => void>()
  const ask = (caller: string, name: string): Promise<string> => share.run(caller, async () => {
    began.push(name)
    await new Promise<void>(resolve => { ends.set(name, resolve) })
    return name
  })
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  /** What was begun goes on as far as it can. */
  const settle = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
  return { share, began, ask, end, settle }
}

describe('a fair share', () => {
  it('lets others begin though one caller asks for much', async () => {
    const { began, ask, end, settle, share } = lab()
    const asked = ['a1', 'a2', 'a3', 'a4'].map(name => ask('a', name))
    asked.push(ask('b', 'b1'), ask('c', 'c1'))
    await settle()
    expect(began).toEqual(['a1', 'a2', 'b1'])
    await end('a1')
    await end('b1')
    expect(began).toEqual(['a1', 'a2', 'b1', 'a3', 'c1'])
    for (const name of ['a2', 'a3', 'c1', 'a4']) await end(name)
    expect(await Promise.all(asked)).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'c1'])
    expect([share.running, share.waiting]).toEqual([0, 0])
  })

  it('refuses the caller who asks for too much, and no other', async () => {
    const { ask, end, settle } = lab()
    const asked = ['a1', 'a2', 'a3', 'a4', 'a5'].map(name => ask('a', name))
    await expect(ask('a', 'a6')).rejects.toMatchObject({ code: 'rate_limited', details: { limit: 5, retry_after: 5 } })
    asked.push(ask('b', 'b1'))
    await settle()
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'b1']) await end(name)
    expect(await Promise.all(asked)).toHaveLength(6)
  })

  it('refuses everybody once too much waits', async () => {
    const { ask } = lab()
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'b3']) ask(name.slice(0, 1), name).catch(() => {})
    await expect(ask('c', 'c1')).rejects.toMatchObject({ code: 'overloaded' })
  })

  it('goes on after work that failed', async () => {
    const share = createFairShare({ ...LIMITS, running: 1 })
    const failing = share.run('a', async () => { throw new Error('down') })
    const next = share.run('a', async () => 'up')
    await expect(failing).rejects.toThrow('down')
    expect(await next).toBe('up')
  })
})
