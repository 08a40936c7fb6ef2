import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { searchTypes, type TypeKey, type TypeSearch } from '../../../src/c-types/search.js'
import { parseBtf } from '../../../src/index.js'
import { at, btf, integers } from '../../support/btf-builder.js'

const kernel = parseBtf(readFileSync(join(import.meta.dirname, '../../fixtures/c-types/shapes.btf')))
const find = (search: Partial<TypeSearch>, target = kernel) =>
  searchTypes(target, { prefix: '', member: undefined, kind: undefined, after: undefined, limit: 1000, ...search })
const names = (search: Partial<TypeSearch>): string[] => find(search).types.map(({ kind, name }) => `${kind} ${name}`)

describe('types of a kernel', () => {
  it('are found by the beginning of their names, in the order of these', () => {
    expect(names({ prefix: 'li' })).toEqual(['struct list'])
    expect(names({ prefix: 'nest' })).toEqual(['struct nested'])
    const all = names({}).map(text => text.split(' ')[1])
    expect(all).toEqual(all.toSorted())
    expect(names({ kind: 'enum' }).every(text => text.startsWith('enum '))).toBe(true)
    expect(names({ prefix: 'nobody' })).toEqual([])
  })

  it('are found by a member, also of a nameless struct in them, and by an enumerator', () => {
    expect(find({ member: 'next' }).types).toEqual([{
      type_id: expect.any(Number),
      kind: 'struct',
      name: 'list',
      size: 16,
      member: { path: 'next', type: 'struct list *', bit_offset: 0, bit_size: 64, is_bitfield: false }
    }])
    expect(find({ member: 'y', prefix: 'nested' }).types).toMatchObject([{ member: { path: 'y', bit_offset: 32 } }])
    expect(find({ member: 'SMALL_B' }).types).toMatchObject([{ kind: 'enum', name: 'small', member: null }])
  })

  it('come page by page, each once, whatever their number', () => {
    const b = btf()
    const { int } = integers(b)
    for (let i = 0; i < 50; i++) b.struct(`s_${i % 17}`, 4, [at('a', 0, int)])
    b.typedef('s_3', int)
    const many = parseBtf(b.bytes())
    const seen: number[] = []
    let after: TypeKey | undefined
    do {
      const page = find({ prefix: 's_', limit: 7, after }, many)
      expect(page.types.length).toBeLessThanOrEqual(7)
      seen.push(...page.types.map(({ type_id: id }) => id))
      after = page.next ?? undefined
    } while (after !== undefined)
    expect(seen).toEqual(find({ prefix: 's_' }, many).types.map(({ type_id: id }) => id))
    expect(new Set(seen).size).toBe(51)
  })
})
