import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { HistoryRange, TypeHistoryJson } from '../../../src/wire/types.js'
import { sha256 } from '../../../src/store/sha256.js'
import { TASKS, withSerial } from '../../support/task-btfs.js'
import { contentPath, put, putAll, startService, temporaryFolder, type StartedService } from './lab.js'

const history = async (service: StartedService, member: string | null = 'state'): Promise<TypeHistoryJson> =>
  await service.typeHistory({ wanted: { kind: 'struct', name: 'task_struct' }, member, kernels: ['*'] }, new AbortController().signal)
const lines = ({ ranges }: TypeHistoryJson): string[] =>
  ranges.map(({ first, last, kernels, places }: HistoryRange) =>
    `${first} to ${last} (${kernels}) ${places.map(({ path, bit_offset: bits }) => `${path} ${bits}`).join()}`)

const KERNELS = {
  '5.4.0-1-generic': withSerial(TASKS.old(), 1),
  '5.4.0-2-generic': withSerial(TASKS.old(), 2),
  '5.4.0-3-generic': withSerial(TASKS.old(), 3),
  '5.4.0-4-generic': withSerial(TASKS.renamed(), 4)
}
const EXPECTED = ['5.4.0-1-generic to 5.4.0-3-generic (3) state 128', '5.4.0-4-generic to 5.4.0-4-generic (1) __state 192']

/** What a service finds that has the layout tables of all kernels, and the BTF of some. */
async function withoutBtfOf (...releases: ReadonlyArray<keyof typeof KERNELS>): Promise<StartedService> {
  const folder = await temporaryFolder()
  const first = await startService(folder)
  await putAll(first, KERNELS)
  await first.close()
  for (const release of releases) await rm(contentPath(folder, 'btf', sha256(KERNELS[release])))
  return await startService(folder)
}

describe('the history of a member', () => {
  it('reads one BTF of all kernels that lay out the type alike', async () => {
    const service = await withoutBtfOf('5.4.0-2-generic', '5.4.0-3-generic')
    const answer = await history(service)
    expect([lines(answer), answer.left_out]).toEqual([EXPECTED, []])
  })

  it('reads none twice', async () => {
    const folder = await temporaryFolder()
    const service = await startService(folder)
    await putAll(service, KERNELS)
    const answer = await history(service)
    await rm(join(folder, 'content', 'btf'), { recursive: true, maxRetries: 10 })
    expect(lines(await history(service))).toEqual(lines(answer))
  })

  it('leaves out a kernel whose BTF is lost, and says so', async () => {
    const service = await withoutBtfOf('5.4.0-4-generic')
    const answer = await history(service)
    expect(lines(answer)).toEqual(EXPECTED.slice(0, 1))
    expect(answer).toMatchObject({
      kernels: 4,
      left_out: [{ reason: 'The BTF is not held any more.', kernels: 1, examples: [expect.stringContaining('5.4.0-4-generic')] }]
    })
  })

  it('is made before there are tables, one BTF at a time up to the limit, and goes on when it is asked again', async () => {
    const folder = await temporaryFolder()
    const first = await startService(folder)
    await putAll(first, KERNELS)
    await first.close()
    await rm(join(folder, 'content', 'layout'), { recursive: true, maxRetries: 10 })
    const service = await startService(folder, { histories: { reads: 3 } })
    const held = ({ ranges }: TypeHistoryJson): number => ranges.reduce((sum, { kernels }) => sum + kernels, 0)
    const answer = await history(service)
    expect([held(answer), answer.left_out.map(({ kernels }) => kernels)]).toEqual([3, [1]])
    expect(answer.left_out[0]?.reason).toMatch(/^The BTF was not read: at most 3 are read for one answer/)
    const again = await history(service)
    expect([lines(again), again.left_out]).toEqual([EXPECTED, []])
  })

  it('has a layout table that is damaged made anew, also where nobody checks an object', async () => {
    const folder = await temporaryFolder()
    const first = await startService(folder)
    await putAll(first, KERNELS)
    await first.close()
    const path = contentPath(folder, 'layout', sha256(KERNELS['5.4.0-1-generic']))
    const whole = await readFile(path)
    await writeFile(path, Buffer.concat([whole.subarray(0, -1), Buffer.of((whole.at(-1) ?? 0) ^ 1)]))
    const service = await startService(folder)
    expect(lines(await history(service))).toEqual(EXPECTED)
    await expect.poll(() => service.stats().cache['layouts_made']).toBe(1)
    await service.close()
    expect(await readFile(path)).toEqual(whole)
  })

  it('is refused where too many are made at a time, and ends with the caller', async () => {
    const service = await startService(await temporaryFolder(), { histories: { atOnce: 0 } })
    await put(service, KERNELS['5.4.0-1-generic'], { release: '5.4.0-1-generic' })
    await expect(history(service)).rejects.toMatchObject({ code: 'overloaded', details: { retry_after: 2 } })
    const other = await startService(await temporaryFolder())
    await put(other, KERNELS['5.4.0-1-generic'], { release: '5.4.0-1-generic' })
    const leaving = AbortSignal.abort()
    await expect(other.typeHistory(
      { wanted: { kind: 'struct', name: 'task_struct' }, member: null, kernels: ['*'] }, leaving
    )).rejects.toMatchObject({ code: 'deadline_exceeded' })
  })
})
