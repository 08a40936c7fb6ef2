import { expect } from 'vitest'
import { AppError, type ErrorCode } from '../../src/errors.js'
import { newWork } from '../../src/btf/work.js'
import { parseBtf, parseObject } from '../../src/core/index.js'
import { createNewNames } from '../../src/report/reasons/names-in-use.js'
import { explainRecord } from '../../src/report/reasons/explain.js'
import type { Explanation } from '../../src/report/reasons/reason.js'
import { assembler, decode, decodeImm64, poison } from './asm.js'
import { BtfBuilder } from './btf-builder.js'
import { concat, toHex, type ByteOrder } from './byte-writer.js'
import { buildObject, type BuiltObject, type CoreRecord, type ObjectSpec, type ReloName } from './object-builder.js'
import { relocate } from './relocate.js'

export type Btf = ReturnType<typeof parseBtf>
export type Relocation = ReturnType<typeof relocate>
export type RecordOutcome = Relocation['records'][number]

/** One instruction with one CO-RE record on it. */
export interface Step {
  readonly kind: ReloName | number
  readonly type: number
  readonly access?: string
  /** The compiled-in value of `r1 = was`, when no instruction is given. */
  readonly was?: number
  readonly insn?: Uint8Array
}

export interface Scene {
  readonly local: BtfBuilder
  readonly target: BtfBuilder | Btf
  readonly modules?: readonly BtfBuilder[]
  readonly steps: readonly Step[]
  readonly section?: string
}

export interface SceneResult {
  readonly object: BuiltObject
  readonly relocation: Relocation
  /** A line per record: `resolved 8`, `absent`, `poisoned`, `failed EINVAL`, `mismatch EINVAL`. */
  readonly outcomes: readonly string[]
  record: (step: number) => RecordOutcome
  /** The instruction of a step in the relocated object, as hex. */
  code: (step: number) => string
}

const SECTION = 'raw_tp/test'

/** Puts every step's instruction into one program, relocates it, and checks that bytes and records tell the same story. */
export function relocateSteps (scene: Scene): SceneResult {
  const section = scene.section ?? SECTION
  const byteOrder = scene.local.byteOrder
  const asm = assembler(byteOrder)
  const instructions = scene.steps.map(step => step.insn ?? asm.mov(1, step.was ?? 0))
  const records: CoreRecord[] = []
  let insnOff = 0
  const offsets = scene.steps.map((step, i) => {
    const offset = insnOff
    records.push({
      section, insnOff: offset, typeId: step.type, kind: step.kind, ...(step.access === undefined ? {} : { access: step.access })
    })
    insnOff += instructions[i]?.length ?? 0
    return offset
  })
  const object = buildObject({
    local: scene.local, programs: [{ section, name: 'test', code: concat(...instructions, asm.exit()) }], records
  })
  const target = isBuilder(scene.target) ? parseBtf(scene.target.bytes()) : scene.target
  const modules = (scene.modules ?? []).map(module => parseBtf(module.bytes(), { base: target }))
  const relocation = relocate(object.bytes, target, { modules })

  const codeOf = (step: number): Uint8Array => {
    if (relocation.bytes === undefined) throw new Error('the object was not relocated')
    const start = object.section(section).offset + (offsets[step] ?? NaN)
    return relocation.bytes.slice(start, start + (instructions[step]?.length ?? NaN))
  }
  checkInvariants(object, relocation)
  if (relocation.bytes !== undefined) {
    relocation.records.forEach((record, i) => {
      const before = instructions[i]
      if (before !== undefined) expect(toHex(codeOf(i))).toBe(toHex(patched(byteOrder, before, codeOf(i), record)))
    })
  }
  return {
    object,
    relocation,
    outcomes: relocation.records.map(outcomeOf),
    record: step => {
      const record = relocation.records[step]
      if (record === undefined) throw new Error(`no record ${step}`)
      return record
    },
    code: step => toHex(codeOf(step))
  }
}

/** The outcome of a single record, in one line. */
export function outcome (local: BtfBuilder, target: BtfBuilder | Btf, step: Step, modules: readonly BtfBuilder[] = []): string {
  return relocateSteps({ local, target, steps: [step], modules }).outcomes[0] ?? 'no record'
}

/**
 * A record in one line. A failed validation of the compiled-in value reads `mismatch`, so that a test which expects another
 * failure does not pass because of a wrong instruction in the test.
 */
export function outcomeOf (record: RecordOutcome): string {
  const status = record.reason === 'value_mismatch' ? 'mismatch' : record.status
  const value = record.status === 'resolved' ? ` ${record.newValue}` : ''
  const errno = record.errno === null ? '' : ` ${record.errno}`
  return `${status}${value}${errno}`
}

/** Builds and relocates in one go. */
export function relocateObject (spec: ObjectSpec, target: BtfBuilder | Btf): {
  object: BuiltObject
  relocation: Relocation
  outcomes: string[]
} {
  const object = buildObject(spec)
  const relocation = relocate(object.bytes, isBuilder(target) ? parseBtf(target.bytes()) : target)
  checkInvariants(object, relocation)
  return { object, relocation, outcomes: relocation.records.map(outcomeOf) }
}

/** What must hold for every relocation, whatever its input. */
export function checkInvariants (object: Pick<BuiltObject, 'bytes'>, relocation: Relocation): void {
  const count = (status: string) => relocation.records.filter(record => record.status === status).length
  expect(relocation.counts).toEqual({
    resolved: count('resolved'), absent: count('absent'), poisoned: count('poisoned'), failed: count('failed')
  })
  expect(relocation.ok).toBe(relocation.counts.failed === 0)
  expect(relocation.bytes === undefined).toBe(!relocation.ok)
  if (relocation.bytes !== undefined) expect(relocation.bytes.length).toBe(object.bytes.length)
  for (const warning of relocation.warnings) expect(warning).toMatchObject({ code: expect.any(String), message: expect.any(String) })
  for (const record of relocation.records) {
    expect(record.newValue === null).toBe(record.status === 'poisoned' || record.status === 'failed')
    if (record.status === 'failed') expect(record.errno).not.toBeNull()
    if (record.status === 'failed') expect(record.reason).not.toBeNull()
    if (record.status === 'poisoned') expect(explain(object, relocation, record)?.reason).toEqual(expect.any(String))
    if (record.status === 'absent') expect(record.newValue).toBe(0n)
    expect(record.oldValue).toBe(BigInt.asUintN(64, record.oldValue))
  }
}

/** Why a record has no value. */
export function explain (object: Pick<BuiltObject, 'bytes'>, {
  target, records
}: Relocation, record: RecordOutcome, steps?: number): Explanation | undefined {
  const parsed = parseObject(object.bytes)
  return explainRecord(record, undefined, {
    object: parsed,
    target,
    records,
    modulesWith: () => [],
    names: createNewNames(parsed.btf),
    storedIn: () => undefined,
    wantsAdvice: true,
    field: { breaks: [], told: [] },
    missing: new Map(),
    work: newWork(steps)
  })
}

/** Runs `action`, which must throw an AppError with this code, and gives the error back. */
export function refusal (code: ErrorCode, action: () => unknown): AppError {
  try {
    action()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    expect(error.code, error.message).toBe(code)
    expect(error.message.length).toBeGreaterThan(10)
    return error
  }
  return expect.fail(`expected ${code}`)
}

function isBuilder (btf: BtfBuilder | Btf): btf is BtfBuilder {
  return btf instanceof BtfBuilder
}

/** What the instruction must look like now, given what the record says; the size bits of a load are taken from `after`. */
function patched (byteOrder: ByteOrder, before: Uint8Array, after: Uint8Array, record: RecordOutcome): Uint8Array {
  const asm = assembler(byteOrder)
  const { opcode, off, imm } = decode(byteOrder, before)
  if (record.status === 'poisoned') {
    return before.length === 16 ? concat(poison(byteOrder), poison(byteOrder)) : poison(byteOrder)
  }
  const value = record.newValue ?? 0n
  const rewritten = (newOpcode: number, newOff: number, newImm: number) => {
    const slot = asm.slot(newOpcode, 0, 0, newOff, newImm)
    slot[1] = before[1] ?? 0
    return slot
  }
  switch (opcode & 7) {
    case 0: {
      const load = asm.ldImm64(0, value)
      load[1] = before[1] ?? 0
      expect(decodeImm64(byteOrder, after)).toBe(value)
      return load
    }
    case 4:
    case 7:
      return rewritten(opcode, off, Number(BigInt.asIntN(32, value)))
    default:
      return rewritten((opcode & ~0x18) | ((after[0] ?? 0) & 0x18), Number(BigInt.asIntN(16, value)), imm)
  }
}
