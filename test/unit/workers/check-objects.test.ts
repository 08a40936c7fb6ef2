import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nameOf, typeId } from '../../../src/btf/btf.js'
import { sha256 } from '../../../src/store/sha256.js'
import { toShared } from '../../../src/store/shared-bytes.js'
import { checkObjects, openChecked } from '../../../src/workers/check-objects.js'
import { prepareBtf } from '../../../src/workers/prepare-btf.js'
import type { CheckRun, FiledBtf, ReadyRuns } from '../../../src/workers/protocol.js'
import { btf } from '../../support/btf-builder.js'

const SEAL_KEYS = [new Uint8Array(32).fill(1)]
const TYPES = 20_000
const folder = mkdtempSync(join(tmpdir(), 'corelo-checked-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

/** A kernel on disk, of as many types as are worth an index. */
async function kernel (name: string, types: number): Promise<FiledBtf & { readonly indexFile: Uint8Array }> {
  const b = btf()
  for (let i = 0; i < types; i++) b.struct(`${name}_${i}`, 4, [])
  const bytes = toShared(b.bytes())
  const prepared = await prepareBtf({ kind: 'prepareBtf', source: { bytes }, maxBytes: Infinity, sealKeys: SEAL_KEYS })
  if (prepared.state !== 'ready' || !prepared.btf.isSealed) throw new Error('it has no index')
  const [path, indexPath] = [join(folder, name), join(folder, `${name}.index`)]
  const indexFile = new Uint8Array(prepared.btf.parts.index).slice()
  writeFileSync(path, bytes)
  writeFileSync(indexPath, indexFile)
  return { paths: [path], sha256: sha256(bytes), index: { path: indexPath, sealKeys: SEAL_KEYS, isToBeMade: true }, indexFile }
}

const kernels: Array<Awaited<ReturnType<typeof kernel>>> = []
beforeAll(async () => { kernels.push(await kernel('large', TYPES), await kernel('small', TYPES - 1000)) })

function opened (checked: FiledBtf) {
  const found = openChecked(checked)
  if (found?.nameIndex === undefined) throw new Error('it is not there')
  return {
    types: found.endId,
    names: [1, 2, found.endId - 1].map(id => nameOf(found, typeId(id))),
    index: [found.typeOffsets, found.nameIndex.starts, found.nameIndex.ids].map(({ buffer, byteOffset, byteLength }) =>
      sha256(new Uint8Array(buffer, byteOffset, byteLength)))
  }
}

it('BTF that a check opens with its index is the BTF that is opened without', () => {
  for (const { indexFile: _file, index, ...without } of kernels) {
    expect(opened({ ...without, ...(index === undefined ? {} : { index }) })).toEqual(opened(without))
  }
})

it('an index that is damaged, of other BTF or sealed by somebody else is passed over', () => {
  const [large, small] = kernels
  if (large?.index === undefined || small?.index === undefined) throw new Error('they are not there')
  const { paths, sha256, index } = large
  const expected = opened({ paths, sha256 })
  const path = join(folder, 'changed')
  writeFileSync(path, large.indexFile.map((byte, i) => i === 100 ? byte ^ 1 : byte))
  for (const other of [{ ...index, path }, { ...index, path: join(folder, 'absent') }, small.index, { ...index, sealKeys: [] }, {
    ...index, sealKeys: [new Uint8Array(32).fill(2)]
  }]) expect(opened({ paths, sha256, index: other })).toEqual(expected)
})

it('kernels that are opened one after the other have nothing of each other', () => {
  const [large, small] = kernels
  if (large === undefined || small === undefined) throw new Error('they are not there')
  const [first, second] = [opened(large), opened(small)]
  expect([opened(large), opened(small), opened(small)]).toEqual([first, second, second])
  expect([first.names.at(-1), second.names.at(-1)]).toEqual([`large_${TYPES - 1}`, `small_${TYPES - 1001}`])
})

it('a check of a kernel without an index gives the one that loading would keep, and none where there is one or none is wanted', () => {
  const [large] = kernels
  if (large?.index === undefined) throw new Error('it is not there')
  const { indexFile, ...checked } = large
  const without = { ...checked, index: { ...large.index, path: join(folder, 'none') } }
  const indexOf = (btf: FiledBtf): Uint8Array | undefined => {
    const found = checkObjects({ kind: 'check', btf, modules: [], runs: [] })
    return found.state === 'ready' ? found.index : undefined
  }
  expect(indexOf(checked)).toBeUndefined()
  expect(Buffer.from(indexOf(without) ?? []).equals(indexFile)).toBe(true)
  expect(indexOf({ ...without, index: { ...without.index, isToBeMade: false } })).toBeUndefined()
})

const ROOT = join(import.meta.dirname, '../../..')
const object = toShared(readFileSync(join(ROOT, 'examples/exec.bpf.o')))
const sample = readFileSync(join(ROOT, 'examples/kernels/sample.btf'))

function check (kernel: Uint8Array, ...runs: CheckRun[]): ReadyRuns['outcomes'] {
  const path = join(folder, sha256(kernel).slice(7, 20))
  writeFileSync(path, kernel)
  const found = checkObjects({ kind: 'check', btf: { paths: [path], sha256: sha256(kernel) }, modules: [], runs })
  return found.state === 'ready' ? found.outcomes : []
}

it('an object of the other byte order is told by itself, and the objects beside it have their outcomes', () => {
  const bigEndian = toShared(readFileSync(join(ROOT, 'test/fixtures/big-endian/layout.eb.bpf.o')))
  const runOf = (bytes: Uint8Array): CheckRun => ({ object: bytes, objectSha256: sha256(bytes), releases: ['6.12.1'] })
  expect(check(sample, runOf(object), runOf(bigEndian), runOf(object))).toMatchObject([
    [{ json: expect.stringContaining('"loads"') }],
    { fault: 'The object is big-endian, but the kernel\'s BTF is little-endian.' },
    [{ json: expect.stringContaining('"loads"') }]
  ])
})

describe('an object that was checked on other kernels', () => {
  const empty = ((): Uint8Array => {
    const b = btf()
    b.struct('nothing', 4, [])
    return b.bytes()
  })()

  /** @param hash under which nothing is known of the object, or what earlier checks found out */
  function stateOn (kernel: Uint8Array, release: string, hash = sha256(object)): unknown {
    const [outcomes] = check(kernel, { object, objectSha256: hash, releases: [release] })
    const outcome = outcomes === undefined || 'fault' in outcomes ? undefined : outcomes[0]
    return { ...outcome, json: JSON.parse(outcome?.json ?? '') as unknown }
  }

  it('has the outcome that it has where it was checked on none', () => {
    const asked: Array<[Uint8Array, string]> = [
      [sample, '6.12.1'], [sample, '6.12.2'], [sample, '4.19.0-1'], [empty, '6.12.1'], [sample, '5.10.0-30-amd64'], [sample, '4.19.0-2']
    ]
    const found = asked.map(([kernel, release]) => stateOn(kernel, release))
    expect(found).toEqual(asked.map(([kernel, release], i) => stateOn(kernel, release, sha256(`another object ${i}`))))
    expect(found).toMatchObject(['loads', 'loads', 'unknown', 'fails', 'loads', 'unknown'].map(state => ({ json: { state } })))
  })
})
