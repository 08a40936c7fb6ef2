import { describe, expect, it } from 'vitest'
import { assembler } from '../support/asm.js'
import { at, btf, integers } from '../support/btf-builder.js'
import { ByteWriter, concat } from '../support/byte-writer.js'
import { buildObject, type CoreRecord } from '../support/object-builder.js'
import { startService, temporaryFolder } from '../unit/service/lab.js'
import { form, startAppWith } from './harness.js'

const SECTION = 'raw_tp/a'
const MAX_BYTES = 16 * 1024 * 1024

/**
 * An object that reads fields that the kernel does not have, one after the other, each from a source line of its own. Its
 * few strings are as long as names may be, and everything refers to them.
 */
function hostile (reads: number, fields: number): { object: Uint8Array, kernel: Uint8Array } {
  const asm = assembler('little')
  const local = btf()
  const { int } = integers(local)
  const [type, field, file, line] = ['t', 'f', 'p', 'l'].map(letter => letter.repeat(8000)) as [string, string, string, string]
  const foo = local.struct(type, 4 * fields, Array.from({ length: fields }, (_, i) => at(field, 4 * i, int)))
  const indices = Array.from({ length: reads }, (_, i) => i)
  const records = indices.map((i): CoreRecord =>
    ({ section: SECTION, insnOff: 8 * i, typeId: foo, access: `0:${i % fields}`, kind: 'byte_off' }))
  const [sectionName, fileName, text] = [SECTION, file, line].map(string => local.string(string)) as [number, number, number]
  const lines = new ByteWriter('little').u32(16).u32(sectionName).u32(reads)
  for (const i of indices) lines.u32(8 * i).u32(fileName).u32(text).u32(i << 10)
  const code = concat(...indices.map(i => asm.mov(1, 4 * (i % fields))), asm.exit())
  const { bytes } = buildObject({
    local,
    programs: [{ section: SECTION, name: 'a'.repeat(8000), code }],
    records,
    ext: { parts: { line_info: { content: lines.finish() } } }
  })
  const kernel = btf()
  kernel.struct(type, 8, [at(`${field}_`, 0, integers(kernel).int)])
  return { object: bytes, kernel: kernel.bytes() }
}

describe('the report on an object of 500 KB whose every record refers to names of 8,000 bytes', () => {
  it('is given wherever the object is, has at most 16 MiB, cuts its texts, and says what is left out', async () => {
    const { object, kernel } = hostile(10_000, 2500)
    expect(object.length).toBeLessThan(520_000)
    const { request } = await startAppWith(await startService(await temporaryFolder(), { deadlineMs: 60_000 }), { deadlineMs: 60_000 })
    const ask = async (accept: string, fields: Record<string, string> = {}) => {
      const answer = await request('/relocate', { method: 'POST', headers: { accept }, body: form({ object, btf: kernel, ...fields }) })
      expect(answer.status).toBe(200)
      return Buffer.from(await answer.arrayBuffer())
    }
    expect(await ask('application/octet-stream')).toHaveLength(object.length)
    for (const fields of [{}, { places: 'all' }]) {
      const body = await ask('application/json', fields)
      expect(body.length).toBeGreaterThan(MAX_BYTES / 2)
      expect(body.length).toBeLessThanOrEqual(MAX_BYTES)
      const texts: number[] = []
      const { counts, relocations, warnings } = JSON.parse(body.toString(), (key, value) => {
        if (typeof value === 'string' && key !== 'code') texts.push(value.length)
        return value
      })
      expect(counts).toEqual({ resolved: 0, absent: 0, poisoned: 10_000 })
      expect(relocations.length).toBeLessThan(2500)
      expect(warnings).toContainEqual({
        code: 'report_truncated',
        message: expect.stringMatching(/^\d+ relocations are left out, because a report has at most 16777216 bytes/)
      })
      expect(Math.max(...texts)).toBe(500)
    }
  })
})

describe('places=all', () => {
  it('lists every place of a relocation, of which otherwise the first 1,000 are listed', async () => {
    const { request } = await startAppWith(await startService(await temporaryFolder()))
    const { object, kernel } = hostile(1100, 1)
    const listed = async (query: string, fields: Record<string, string>) => {
      const answer = await request(
        `/relocate${query}`, { method: 'POST', headers: { accept: 'application/json' }, body: form({ object, btf: kernel, ...fields }) }
      )
      const { relocations: [entry] } = await answer.json() as { relocations: Array<{ places: unknown[], places_total: number }> }
      return [entry?.places.length, entry?.places_total]
    }
    expect(await listed('', {})).toEqual([1000, 1100])
    expect(await listed('', { places: 'all' })).toEqual([1100, 1100])
  })
})
