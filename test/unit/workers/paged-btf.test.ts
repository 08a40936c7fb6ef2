import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  kindOf, memberBitOffset, memberNameOffset, memberType, nameOf, sizeWordOf, textOf, typeId, vlenOf, type Btf
} from '../../../src/btf/btf.js'
import { PAGE_BYTES } from '../../../src/btf/index-file.js'
import { parseRawBtf } from '../../../src/btf/parse.js'
import { sha256 } from '../../../src/store/sha256.js'
import { toShared } from '../../../src/store/shared-bytes.js'
import { checkObjects } from '../../../src/workers/check-objects.js'
import { openPaged } from '../../../src/workers/paged-btf.js'
import { prepareBtf } from '../../../src/workers/prepare-btf.js'
import type { FiledBtf } from '../../../src/workers/protocol.js'
import { at, btf, integers, layoutOfKnownKinds } from '../../support/btf-builder.js'
import { buildObject } from '../../support/object-builder.js'

const SEAL_KEYS = [new Uint8Array(32).fill(1)]
/** So many that the BTF has some hundred pages. */
const STRUCTS = 8000
/** Longer than a page, as no compiler makes them. */
const LONG = 'l'.repeat(PAGE_BYTES + 100)

const folder = mkdtempSync(join(tmpdir(), 'corelo-paged-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

let serial = 0
let bytes: Uint8Array = new Uint8Array()
let indexPath = ''
beforeAll(async () => {
  const b = btf()
  const { int } = integers(b)
  for (let i = 0; i < STRUCTS; i++) b.struct(`s${i}`, 8, [at(`member_${i}`, 0, int), at(`other_${i % 7}`, 4, int)])
  b.struct(LONG, 4, [at('x', 0, int)])
  bytes = toShared(b.bytes())
  indexPath = await keepIndex(bytes)
})

/** Where the index of BTF is kept. */
async function keepIndex (of: Uint8Array): Promise<string> {
  const prepared = await prepareBtf({ kind: 'prepareBtf', source: { bytes: of }, maxBytes: Infinity, sealKeys: SEAL_KEYS })
  if (prepared.state !== 'ready' || !prepared.btf.isSealed) throw new Error('it has no index')
  const path = join(folder, `${serial++}.index`)
  writeFileSync(path, new Uint8Array(prepared.btf.parts.index))
  return path
}

/** The kernel's file, changed or not. */
function filed (change: (page: number, content: Uint8Array) => void = () => {}): FiledBtf {
  const file = Uint8Array.from(bytes)
  for (let page = 0; page * PAGE_BYTES < file.length; page++) change(page, file.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES))
  const path = join(folder, `${serial++}.btf`)
  writeFileSync(path, file)
  return { paths: [path], sha256: sha256(bytes), index: { path: indexPath, sealKeys: SEAL_KEYS, isToBeMade: true } }
}

const spoil = (_page: number, content: Uint8Array): void => { content[0] = (content[0] ?? 0) ^ 1 }

/** In memory that is full of something else. */
function open (checked: FiledBtf) {
  const memory = (byteLength: number): Uint8Array => new Uint8Array(byteLength).fill(0xff)
  return openPaged(checked, { btf: memory, index: memory })
}

function opened (checked: FiledBtf) {
  const paged = open(checked)
  if (paged === undefined || 'state' in paged) throw new Error('it is not opened')
  return paged
}

function describeType (from: Btf, number: number): unknown {
  const id = typeId(number)
  const members = kindOf(from, id) === 4 ? vlenOf(from, id) : 0
  return [kindOf(from, id), nameOf(from, id), sizeWordOf(from, id), Array.from({ length: members }, (_, i) =>
    [textOf(from, memberNameOffset(from, id, i)), memberType(from, id, i), memberBitOffset(from, id, i)])]
}

/** Pages that the types from an id on have nothing of, nor their names. */
function pagesBut (wanted: readonly number[]): (page: number, content: Uint8Array) => void {
  return (page, content) => { if (!wanted.includes(page)) spoil(page, content) }
}

describe('BTF of which only some pages are read', () => {
  it('has the types, names and members of the whole, in whatever order they are looked at', () => {
    const paged = opened(filed())
    const whole = parseRawBtf(bytes)
    const last = whole.endId - 1
    for (let i = 0; i < last; i++) {
      const id = 1 + (i * 7919) % last
      expect(describeType(paged.btf, id)).toEqual(describeType(whole, id))
    }
    expect(nameOf(paged.btf, typeId(last))).toBe(LONG)
    expect(paged.isDamaged()).toBe(false)
    paged.close()
  })

  it('has nothing to do with pages that nobody looks at', () => {
    const { typeOffsets, strStart, strLen } = parseRawBtf(bytes)
    const wanted = [0, strStart, strStart + strLen - 1, typeOffsets[0] ?? 0].map(offset => Math.floor(offset / PAGE_BYTES))
    const paged = opened(filed(pagesBut(wanted)))
    expect(nameOf(paged.btf, typeId(1))).toBe(nameOf(parseRawBtf(bytes), typeId(1)))
    expect(() => nameOf(paged.btf, typeId(STRUCTS / 2))).toThrow('is damaged')
    expect(paged.isDamaged()).toBe(true)
    paged.close()
  })

  it('has nothing to do with pages of its index that nobody looks at', () => {
    const { typeOffsets } = parseRawBtf(bytes)
    const pages = Math.ceil(4 * typeOffsets.length / PAGE_BYTES)
    const path = join(folder, 'some-index')
    const index = readFileSync(indexPath)
    for (let page = 1; page < pages; page++) spoil(page, index.subarray(page * PAGE_BYTES))
    writeFileSync(path, index)
    const paged = opened({ ...filed(), index: { path, sealKeys: SEAL_KEYS, isToBeMade: true } })
    expect(nameOf(paged.btf, typeId(2))).toBe(nameOf(parseRawBtf(bytes), typeId(2)))
    expect(paged.isDamaged()).toBe(false)
    expect(() => nameOf(paged.btf, typeId(STRUCTS / 2))).toThrow('is damaged')
    expect(paged.isDamaged()).toBe(true)
    paged.close()
  })

  it('is not opened where its header is damaged, where a file has another size, and without an index or with one of no use', () => {
    const checked = filed()
    expect(open(filed((page, content) => { if (page === 0) content[1] = 0 }))).toBeUndefined()
    writeFileSync(join(folder, 'short'), bytes.subarray(0, bytes.length - 1))
    expect(open({ ...checked, paths: [join(folder, 'short')] })).toEqual({ state: 'damaged' })
    expect(open({ sha256: checked.sha256, paths: checked.paths })).toBeUndefined()
    const others = { path: indexPath, sealKeys: [new Uint8Array(32).fill(2)], isToBeMade: true }
    expect(open({ ...checked, index: others })).toEqual({ state: 'damaged' })
    opened({ ...checked, paths: [join(folder, 'absent'), join(folder, 'short'), ...checked.paths] }).close()
  })
})

it('BTF that says itself how long its types are is read whole, and verified as a whole', async () => {
  const b = btf()
  const { int } = integers(b)
  for (let i = 0; i < STRUCTS; i++) b.struct(`s${i}`, 8, [at(`member_${i}`, 0, int)])
  const content = toShared(b.bytes({ layout: layoutOfKnownKinds() }))
  const path = join(folder, 'layout.btf')
  writeFileSync(path, content)
  const index = { path: await keepIndex(content), sealKeys: SEAL_KEYS, isToBeMade: true }
  const checked: FiledBtf = { paths: [path], sha256: sha256(content), index }
  const paged = opened(checked)
  const last = typeId(parseRawBtf(content).endId - 1)
  expect(describeType(paged.btf, last)).toEqual(describeType(parseRawBtf(content), last))
  paged.close()
  writeFileSync(path, Uint8Array.from(content, (byte, i) => i === content.length - 2 ? byte ^ 1 : byte))
  expect(open(checked)).toBeUndefined()
})

it('a check of objects uses no damaged page, and another file where there is one', () => {
  const local = btf()
  const { int } = integers(local)
  const wanted = local.struct(`s${STRUCTS / 2}`, 8, [at(`member_${STRUCTS / 2}`, 4, int)])
  const records = [{ section: 'kprobe/x', insnOff: 0, typeId: wanted, access: '0:0', kind: 'byte_off' as const }]
  const code = Uint8Array.of(0xb7, 1, 0, 0, 4, 0, 0, 0, 0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)
  const object = toShared(buildObject({ local, programs: [{ section: 'kprobe/x', name: 'p', code }], records }).bytes)
  const check = (checked: FiledBtf) =>
    checkObjects({ kind: 'check', btf: checked, modules: [], runs: [{ object, objectSha256: sha256(object), releases: ['6.1.0'] }] })
  const good = filed()
  const damaged = filed((page, content) => { if (page > 0) spoil(page, content) })
  const expected = check(good)
  expect(expected).toMatchObject({ state: 'ready', outcomes: [[{ json: expect.stringContaining('"state":"loads"') }]] })
  expect(check(damaged)).toEqual({ state: 'absent', sha256: sha256(bytes) })
  expect(check({ ...good, paths: [...damaged.paths, ...good.paths] })).toEqual(expected)
  const spoiled = join(folder, 'spoiled-index')
  writeFileSync(spoiled, readFileSync(indexPath).map((byte, i) => i < bytes.length / 16 ? byte ^ 1 : byte))
  const anew = check({ ...good, index: { path: spoiled, sealKeys: SEAL_KEYS, isToBeMade: true } })
  expect(anew).toEqual({ ...expected, index: new Uint8Array(readFileSync(indexPath)) })
})
