import { describe, expect, it } from 'vitest'
import { likeliestModules } from '../../../src/relocation/other-modules.js'
import { sha256 } from '../../../src/store/sha256.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { BY_NODE, emptyBtf, put, relocate, startService, temporaryFolder, UBUNTU } from '../service/lab.js'

function moduleBtf (): Uint8Array {
  const base = btf()
  base.int('int', 4, { signed: true })
  const split = btf({ base })
  const { int } = integers(split)
  split.struct('foo', 8, [at('x', 0, int), at('y', 4, int)])
  return split.bytes()
}

describe('a type that the kernel lacks and one of its modules has', () => {
  const relocationsOf = (members: Uint8Array | undefined) => JSON.parse(`{${Buffer.from(members ?? []).toString()}}`).relocations

  it('is told of with the module, where the kernel is held with that module', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, emptyBtf())
    await service.putKernelBtf(UBUNTU, moduleBtf(), BY_NODE, 'foodriver')
    const { report, counts } = await relocate(service, { wantsReport: true })
    expect(counts).toMatchObject({ poisoned: 1 })
    expect(relocationsOf(report?.members)).toMatchObject([{
      status: 'poisoned',
      reason: 'type_in_module',
      detail: 'The kernel itself has no struct foo; its module foodriver has one. Name the module in `modules`, where the node has it ' +
        'loaded before the program.'
    }])
    expect(await relocate(service, { modules: ['foodriver'], wantsReport: true })).toMatchObject({ counts: { resolved: 1, poisoned: 0 } })
  })

  it('is missing where the kernel is held without that module', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, emptyBtf())
    const { report } = await relocate(service, { wantsReport: true })
    expect(relocationsOf(report?.members)).toMatchObject([{ reason: 'type_missing' }])
  })
})

describe('the modules that are looked into', () => {
  const record = (name: string) => ({ name, btfSha256: sha256(name), bytes: 100, source: 'upload', provenance: BY_NODE })

  it('are at most 64 of a kernel, first those that are named as the types are', () => {
    const modules = [...Array.from({ length: 5000 }, (_, i) => record(`driver${i}`)), record('nfs'), record('nf_conntrack')]
    const found = likeliestModules(modules, ['struct nfs_inode', 'enum nf_conntrack_status']).map(({ name }) => name)
    expect(found.slice(0, 2)).toEqual(['nf_conntrack', 'nfs'])
    expect(found).toHaveLength(64)
  })
})
