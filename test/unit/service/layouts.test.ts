import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { assembler } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { localFoo } from '../../support/corpus.js'
import { buildObject } from '../../support/object-builder.js'
import { cellsIn } from '../../../src/check/cells.js'
import { sha256 } from '../../../src/store/sha256.js'
import { contentPath, emptyBtf, fooBtf, fooObject, putAll, startService, temporaryFolder, type StartedService } from './lab.js'

/** State by kernel release. */
async function check (service: StartedService, object = fooObject()): Promise<Record<string, string>> {
  const { cells } = await service.check({ objects: [{ content: object }], kernels: ['*'], fetch: false }, new AbortController().signal)
  const states: Record<string, string> = {}
  for await (const batch of cells) for (const { kernel, outcome } of cellsIn(batch)) states[kernel.split('/').at(-1) ?? ''] = outcome.state
  return states
}

const ALIKE = { '5.4.0-1-generic': fooBtf(1), '5.4.0-2-generic': fooBtf(2), '5.4.0-3-generic': fooBtf(3) }

describe('kernels of a check', () => {
  it('that lay out what the object reads alike are relocated for once, whatever else they have', async () => {
    const service = await startService(await temporaryFolder())
    await putAll(service, { ...ALIKE, '5.4.0-4-generic': emptyBtf() })
    expect(await check(service)).toEqual({
      '5.4.0-1-generic': 'loads', '5.4.0-2-generic': 'loads', '5.4.0-3-generic': 'loads', '5.4.0-4-generic': 'fails'
    })
    expect(service.stats().checks.relocations).toBe(2)
    await check(service, fooObject(1))
    expect(service.stats().checks.relocations).toBe(4)
  })

  it('are compared by tables that are on disk, without their BTF', async () => {
    const folder = await temporaryFolder()
    const first = await startService(folder)
    await putAll(first, ALIKE)
    await check(first)
    await first.close()
    const [, second, third] = Object.values(ALIKE)
    for (const bytes of [second, third]) if (bytes !== undefined) await rm(contentPath(folder, 'btf', sha256(bytes)))
    const service = await startService(folder)
    expect(await check(service, fooObject(1))).toEqual({
      '5.4.0-1-generic': 'loads', '5.4.0-2-generic': 'loads', '5.4.0-3-generic': 'loads'
    })
    expect(service.stats().checks.relocations).toBe(1)
    expect(service.stats().cache['layouts_made']).toBe(0)
  })

  it('have the rows of an earlier process', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await putAll(before, { ...ALIKE, '5.4.0-4-generic': emptyBtf() })
    const rows = await check(before)
    await before.close()
    const service = await startService(folder)
    expect(await check(service)).toEqual(rows)
    expect(service.stats().checks.relocations).toBe(0)
  })

  it('that another process imported have their tables before the first check', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await putAll(before, ALIKE)
    await before.close()
    await rm(join(folder, 'content', 'layout'), { recursive: true })
    const service = await startService(folder)
    await expect.poll(() => service.stats().cache['layouts_made']).toBe(3)
    await check(service)
    expect(service.stats().checks.relocations).toBe(1)
  })

  it('whose table is damaged or of another format have it made anew, and are relocated for once', async () => {
    const folder = await temporaryFolder()
    const first = await startService(folder)
    await putAll(first, ALIKE)
    await check(first)
    await first.close()
    const paths = Object.values(ALIKE).map(bytes => contentPath(folder, 'layout', sha256(bytes)))
    const whole = await Promise.all(paths.map(path => readFile(path)))
    const [damaged = '', cut = '', otherFormat = ''] = paths
    await writeFile(damaged, flipped(whole[0], -40))
    await writeFile(cut, whole[1]?.subarray(0, 70) ?? '')
    await writeFile(otherFormat, flipped(whole[2], 8))
    const second = await startService(folder)
    await check(second, fooObject(1))
    expect(second.stats().checks.relocations).toBe(1)
    expect(second.stats().cache['layouts_made']).toBe(3)
    await check(second, fooObject(2))
    expect(second.stats().checks.relocations).toBe(2)
    expect(second.stats().cache['layouts_made']).toBe(3)
    await second.close()
    expect(await Promise.all(paths.map(path => readFile(path)))).toEqual(whole)
  })

  it('are relocated for one by one where the object holds type ids of the kernel', async () => {
    const service = await startService(await temporaryFolder())
    await putAll(service, ALIKE)
    const { b, foo } = localFoo()
    const asm = assembler('little')
    const { bytes } = buildObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, foo), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, access: '0', kind: 'target_type_id' }]
    })
    expect(Object.values(await check(service, bytes))).toEqual(['loads', 'loads', 'loads'])
    expect(service.stats().checks.relocations).toBe(3)
  })

  it('have their own sentences where these name type ids', async () => {
    const service = await startService(await temporaryFolder())
    const twice = (before: number): Uint8Array => {
      const b = btf()
      for (let i = 0; i < before; i++) b.int(`before_${i}`, 4)
      const { int } = integers(b)
      b.struct('foo', 8, [at('x', 0, int), at('y', 4, int)])
      b.struct('foo', 16, [at('x', 0, int), at('y', 8, int)])
      return b.bytes()
    }
    await putAll(service, { '5.4.0-1-generic': twice(1), '5.4.0-2-generic': twice(2) })
    const { cells } = await service.check(
      { objects: [{ content: fooObject() }], kernels: ['*'], fetch: false }, new AbortController().signal
    )
    const reasons: string[] = []
    for await (const batch of cells) for (const { outcome } of cellsIn(batch)) reasons.push(`${outcome.state} ${JSON.stringify(outcome)}`)
    expect(reasons).toHaveLength(2)
    expect(reasons.filter(reason => reason.startsWith('unresolvable') && reason.includes('in type 11'))).toHaveLength(1)
    expect(reasons.filter(reason => reason.startsWith('unresolvable') && reason.includes('in type 12 of 8 bytes'))).toHaveLength(1)
  })

  it('do not share what went wrong with one of them', async () => {
    const folder = await temporaryFolder()
    const first = await startService(folder)
    await putAll(first, ALIKE)
    await check(first)
    await first.close()
    const [lost] = Object.values(ALIKE)
    if (lost !== undefined) await rm(contentPath(folder, 'btf', sha256(lost)))
    const service = await startService(folder)
    const states = await check(service, fooObject(1))
    expect(states['5.4.0-2-generic']).toBe('loads')
    expect(states['5.4.0-3-generic']).toBe('loads')
  })
})

function flipped (bytes: Buffer | undefined, offset: number): Buffer {
  const copy = Buffer.from(bytes ?? '')
  const place = offset < 0 ? copy.length + offset : offset
  copy[place] = (copy[place] ?? 0) ^ 1
  return copy
}
