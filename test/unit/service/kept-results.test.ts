import { readFile, stat, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { RelocateAnswer, RelocateRequest } from '../../../src/relocation/types.js'
import { sha256 } from '../../../src/store/sha256.js'
import { assembler } from '../../support/asm.js'
import { concat } from '../../support/byte-writer.js'
import { fooSpec, localFoo, targetFoo } from '../../support/corpus.js'
import { buildObject } from '../../support/object-builder.js'
import {
  breakFile, contentPath, emptyBtf, fooBtf, fooObject, offsetOfY, putAll, relocate, startService, temporaryFolder, type StartedService
} from './lab.js'

const OBJECT = fooObject()
const HASH = sha256(OBJECT)
const KERNELS = { '5.4.0-1-generic': fooBtf(1), '5.4.0-2-generic': fooBtf(2), '6.1.0-3-generic': emptyBtf() }
const kernel = (release: string) => ({ kernel: { release } })
const fileOf = (folder: string): string => contentPath(folder, 'result', HASH)

/** A service that holds the kernels, with their layout tables. */
async function startHeld (folder: string): Promise<StartedService> {
  const service = await startService(folder)
  await putAll(service, KERNELS)
  return service
}

/** The folder of a service that holds the kernels, has answered the request, and has ended. */
async function answeredBefore (request: Partial<RelocateRequest>): Promise<{ readonly folder: string, readonly first: RelocateAnswer }> {
  const folder = await temporaryFolder()
  const service = await startHeld(folder)
  const first = await relocate(service, request)
  await service.close()
  return { folder, first }
}

const counts = (service: StartedService): { made: number, kept: number } =>
  ({ made: service.stats().cache['relocations'] ?? 0, kept: service.stats().cache['kept_results'] ?? 0 })
const says = ({ bytes, sha256: hash, verdict, counts, assumes, report }: RelocateAnswer): object => ({
  bytes,
  hash,
  verdict,
  counts,
  assumes,
  report: report === undefined
    ? undefined
    : { ...report, members: Buffer.from(report.members).toString(), failing: Buffer.from(report.failing).toString() }
})

describe('a result', () => {
  it('is known after a restart, for whoever names the object, sends it, or asks by hashes', async () => {
    const { folder, first } = await answeredBefore(kernel('5.4.0-1-generic'))
    const service = await startService(folder)
    expect(says(await relocate(service, { objectSha256: HASH, ...kernel('5.4.0-1-generic') }))).toEqual(says(first))
    expect(counts(service)).toEqual({ made: 0, kept: 1 })
    await service.close()
    for (const request of [{ object: OBJECT, ...kernel('5.4.0-1-generic') }, { objectSha256: HASH, btfSha256: sha256(fooBtf(1)) }]) {
      const again = await startService(folder)
      expect(says(await relocate(again, request))).toEqual(says(first))
      expect(counts(again)).toEqual({ made: 0, kept: 1 })
      await again.close()
    }
  })

  it('of a large object is known as well, and a thread proves it', async () => {
    const folder = await temporaryFolder()
    const object = concat(OBJECT, new Uint8Array(1 << 20))
    const before = await startHeld(folder)
    const first = await relocate(before, { object, ...kernel('5.4.0-1-generic') })
    await before.close()
    const service = await startService(folder)
    expect(says(await relocate(service, { object, ...kernel('5.4.0-1-generic') }))).toEqual(says(first))
    expect(counts(service)).toEqual({ made: 0, kept: 1 })
  })

  it('is that of every kernel that lays out alike what the object reads', async () => {
    const { folder, first } = await answeredBefore(kernel('5.4.0-1-generic'))
    const service = await startService(folder)
    const other = await relocate(service, kernel('5.4.0-2-generic'))
    expect(other.sha256).toBe(first.sha256)
    expect(other.btfSha256).toBe(sha256(fooBtf(2)))
    expect(other.attestation).not.toBe(first.attestation)
    expect(counts(service)).toEqual({ made: 0, kept: 1 })
    await relocate(service, kernel('6.1.0-3-generic'))
    expect(counts(service)).toEqual({ made: 1, kept: 1 })
  })

  it('has its report with it, verdict, reasons and all, where one was asked for', async () => {
    const folder = await temporaryFolder()
    const before = await startHeld(folder)
    const asked = { object: OBJECT, wantsReport: true }
    const met = await relocate(before, { ...asked, ...kernel('5.4.0-1-generic') })
    const lacking = await relocate(before, { ...asked, ...kernel('6.1.0-3-generic') })
    await before.close()
    const service = await startService(folder)
    expect(says(await relocate(service, { ...asked, ...kernel('5.4.0-1-generic') }))).toEqual(says(met))
    expect(counts(service)).toEqual({ made: 0, kept: 1 })
    // What is missing in the kernel may be in a module that was uploaded since.
    expect(says(await relocate(service, { ...asked, ...kernel('6.1.0-3-generic') }))).toEqual(says(lacking))
    expect(counts(service)).toEqual({ made: 1, kept: 1 })
  })

  it('is of one kernel alone with a report of what its programs cannot attach to there', async () => {
    const section = 'fentry/gone'
    const { programs, records = [] } = fooSpec()
    const { bytes: object } = buildObject(fooSpec('little', {
      programs: programs.map(program => ({ ...program, section })),
      records: records.map(record => ({ ...record, section }))
    }))
    const has = targetFoo()
    has.func('gone', has.funcProto(0))
    const service = await startService(await temporaryFolder())
    await putAll(service, { '5.4.0-1-generic': fooBtf(1), '5.4.0-4-generic': has.bytes() })
    const warningsOn = async (release: string): Promise<boolean> => {
      const { report } = await relocate(service, { object, wantsReport: true, ...kernel(release) })
      return Buffer.from(report?.members ?? []).toString().includes('attach_target_missing')
    }
    expect([await warningsOn('5.4.0-1-generic'), await warningsOn('5.4.0-4-generic')]).toEqual([true, false])
    expect(counts(service)).toEqual({ made: 2, kept: 0 })
    // Without a report it is the same for both.
    const one = await relocate(service, { object, ...kernel('5.4.0-1-generic') })
    expect(await relocate(service, { object, ...kernel('5.4.0-4-generic') })).toMatchObject({ sha256: one.sha256 })
  })

  it('without a report is made once more for who asks for one', async () => {
    const { folder } = await answeredBefore(kernel('5.4.0-1-generic'))
    for (const made of [1, 0]) {
      const service = await startService(folder)
      expect((await relocate(service, { wantsReport: true, ...kernel('5.4.0-1-generic') })).report).toBeDefined()
      expect(counts(service).made).toBe(made)
      await service.close()
    }
  })

  it('that holds a type id of the kernel is of that kernel alone', async () => {
    const { b, foo } = localFoo()
    const asm = assembler('little')
    const { bytes: object } = buildObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, foo), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, access: '0', kind: 'target_type_id' }]
    })
    const { folder, first } = await answeredBefore({ object, ...kernel('5.4.0-1-generic') })
    const service = await startService(folder)
    expect((await relocate(service, { object, ...kernel('5.4.0-1-generic') })).sha256).toBe(first.sha256)
    expect(counts(service)).toEqual({ made: 0, kept: 1 })
    await relocate(service, { object, ...kernel('5.4.0-2-generic') })
    expect(counts(service)).toEqual({ made: 1, kept: 1 })
  })

  it('of BTF that came with the request is forgotten with it', async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await relocate(before, { btf: [fooBtf()] })
    await before.close()
    await expect(stat(fileOf(folder))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is not believed from a file that was changed, and is made and kept anew', async () => {
    const { folder } = await answeredBefore(kernel('5.4.0-1-generic'))
    const whole = await readFile(fileOf(folder))
    for (const place of [40, whole.length >> 1, whole.length - 1]) {
      const changed = Buffer.from(whole)
      changed[place] = (changed[place] ?? 0) ^ 1
      await writeFile(fileOf(folder), changed)
      const service = await startService(folder)
      expect(offsetOfY(await relocate(service, kernel('5.4.0-1-generic')))).toBe(12)
      expect(counts(service)).toEqual({ made: 1, kept: 0 })
      await service.close()
      expect(await readFile(fileOf(folder))).toEqual(whole)
    }
  })

  it('is made anew, and its file left alone, where that cannot be read', async () => {
    const { folder } = await answeredBefore(kernel('5.4.0-1-generic'))
    const path = fileOf(folder)
    await breakFile(path)
    const service = await startService(folder)
    expect(offsetOfY(await relocate(service, kernel('5.4.0-1-generic')))).toBe(12)
    expect(service.stats().cache['unreadable_files']).toBeGreaterThan(0)
    await service.close()
    await expect(stat(path)).rejects.toMatchObject({ code: 'ELOOP' })
  })
})
