import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createCollector, createSharedCollector, createUploadBudget, readChunks } from '../../../src/http/upload.js'
import { refusal } from '../../support/scenario.js'

const bytes = (length: number): Buffer => Buffer.alloc(length, 7)

describe('the budget of uploads', () => {
  it('is shared by all requests and given back when they end', () => {
    const budget = createUploadBudget(100)
    const first = budget.open()
    const second = budget.open()
    first.take(60)
    refusal('overloaded', () => { second.take(41) })
    second.take(40)
    expect(budget.usedBytes).toBe(100)
    first.close()
    first.close()
    expect(budget.usedBytes).toBe(40)
    second.take(60)
    second.close()
    expect(budget.usedBytes).toBe(0)
  })
})

describe('what a request holds of the budget', () => {
  it('is given back when the work with its bytes has ended, though the request ended before', async () => {
    const budget = createUploadBudget(100)
    const lease = budget.open()
    lease.take(60)
    const ends: Array<() => void> = []
    const works = [1, 2].map(() =>
      new Promise<void>((resolve, reject) => { ends.push(ends.length === 0 ? resolve : () => { reject(new Error('killed')) }) }))
    for (const work of works) lease.keep(work)
    lease.close()
    lease.close()
    expect(budget.usedBytes).toBe(60)
    ends[0]?.()
    await works[0]
    expect(budget.usedBytes).toBe(60)
    ends[1]?.()
    await expect(works[1]).rejects.toThrow('killed')
    expect(budget.usedBytes).toBe(0)
  })
})

describe('collected bytes', () => {
  const lease = createUploadBudget(1000).open()

  it('are what was added, in order', () => {
    const collector = createCollector('object', 10, lease)
    for (const text of ['ab', '', 'cd', 'e']) collector.add(Buffer.from(text))
    expect(collector.toBytes().toString()).toBe('abcde')
    expect(createCollector('object', 0, lease).toBytes()).toHaveLength(0)
  })

  it('may be as many as the limit, not one more', () => {
    const collector = createCollector('object', 10, lease)
    collector.add(bytes(10))
    const error = refusal('too_large', () => { collector.add(bytes(1)) })
    expect(error.details).toEqual({ part: 'object', limit: 10 })
    expect(error.message).toBe('The part object is larger than the limit of 10 bytes.')
  })
})

describe('collected bytes that are kept', () => {
  it('are in shared memory from the start, in order', () => {
    const budget = createUploadBudget(1000)
    const collector = createSharedCollector(5, budget.open())
    for (const text of ['ab', '', 'cd', 'e']) collector.add(Buffer.from(text))
    const all = collector.toBytes()
    expect([all.toString(), all.buffer instanceof SharedArrayBuffer, all.buffer.byteLength]).toEqual(['abcde', true, 5])
    expect(budget.usedBytes).toBe(5)
  })

  it('are no more than came, and count for no more, whatever length was announced', () => {
    const budget = createUploadBudget(1000)
    const collector = createSharedCollector(900, budget.open())
    expect(collector.toBytes()).toHaveLength(0)
    collector.add(Buffer.from('ab'))
    expect([collector.toBytes().toString(), budget.usedBytes]).toEqual(['ab', 2])
    refusal('overloaded', () => { collector.add(bytes(999)) })
  })
})

describe('reading a stream', () => {
  it('ends with it', async () => {
    const stream = new PassThrough()
    const seen: string[] = []
    const reading = readChunks(stream, chunk => { seen.push(chunk.toString()) })
    stream.write('a')
    stream.end('b')
    await reading
    expect(seen).toEqual(['a', 'b'])
  })

  it('ends when a chunk is refused', async () => {
    const stream = new PassThrough()
    const reading = readChunks(stream, () => { throw new Error('enough') })
    stream.write('a')
    await expect(reading).rejects.toThrow('enough')
    expect(stream.listenerCount('data')).toBe(0)
  })

  it('ends when the stream breaks off', async () => {
    const stream = new PassThrough()
    const reading = readChunks(stream, () => {})
    stream.destroy()
    await expect(reading).rejects.toMatchObject({ code: 'invalid_request' })
  })
})
