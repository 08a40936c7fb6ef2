import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findTypes } from '../../../src/c-types/named-types.js'
import { defineTypes, writeDefinitions } from '../../../src/c-types/type-definition.js'
import type { NamedKind } from '../../../src/wire/types.js'
import { parseBtf } from '../../../src/index.js'
import { at, btf } from '../../support/btf-builder.js'

const shapes = parseBtf(readFileSync(join(import.meta.dirname, '../../fixtures/c-types/shapes.btf')))

function only (kind: NamedKind, name: string) {
  const [id, ...others] = findTypes(shapes, { kind, name })
  if (id === undefined || others.length > 0) throw new Error(`${kind} ${name} is there ${others.length + 1} times`)
  return id
}

describe('one type', () => {
  it('is C with the place of each member, in bytes, and in bits where it is a bitfield', () => {
    expect(writeDefinitions(shapes, [only('struct', 'bits')], 'struct')).toBe([
      'struct bits {', '\tint a: 3; /* 0:0 */', '\tchar: 5;', '\tunsigned int b: 7; /* 1:0 */', '\tlong: 49;',
      '\tunsigned long long c: 40; /* 8:0 */', '\tu8 d; /* 13 */', '\tunsigned short e: 4; /* 14:0 */', '\tint f; /* 16 */',
      '\tunsigned int g: 1; /* 20:0 */', '}; /* 24 bytes */', ''
    ].join('\n'))
  })

  it('has the places of what is in a nameless part from the start of the whole', () => {
    expect(writeDefinitions(shapes, [only('struct', 'nested')], 'struct')).toContain(
      '\t\tstruct {\n\t\t\tint x; /* 0 */\n\t\t\tint y; /* 4 */\n\t\t}; /* 0 */'
    )
    const [{ members, size } = {}] = defineTypes(shapes, [only('struct', 'nested')], 'struct')
    expect(size).toBe(120)
    expect(members?.[0]).toMatchObject({ name: null, type: 'union', bit_offset: 0, size: 16 })
    expect(members?.[0]?.members?.[0]?.members).toEqual([
      { name: 'x', type: 'int', bit_offset: 0, bitfield_size: null, size: 4 },
      { name: 'y', type: 'int', bit_offset: 32, bitfield_size: null, size: 4 }
    ])
    expect(members?.map(({ type }) => type)).toContain('int (*)(struct nested *, int (*)(void *, int), volatile const u64 *)')
  })

  it('may be an enumeration or a typedef', () => {
    expect(defineTypes(shapes, [only('enum', 'small')], 'enum')).toMatchObject([
      { size: 1, enumerators: [{ name: 'SMALL_A', value: '0' }, { name: 'SMALL_B', value: '200' }] }
    ])
    expect(writeDefinitions(shapes, [only('typedef', 'matrix_t')], 'typedef')).toBe('typedef int matrix_t[2][3]; /* 24 bytes */\n')
    expect(defineTypes(shapes, [only('typedef', 'handler_t')], 'typedef')).toMatchObject([
      { type: 'int (*)(const struct only_declared *, u32, ...)', size: 8 }
    ])
  })

  it('is looked for by its very name, not by its flavors', () => {
    expect(findTypes(shapes, { kind: 'struct', name: 'bits___other' })).toEqual([])
    expect(findTypes(shapes, { kind: 'union', name: 'bits' })).toEqual([])
    expect(findTypes(shapes, { kind: 'struct', name: 'nobody' })).toEqual([])
  })

  it('has only so many members and so much text together with the others of its name, which may all repeat one part', () => {
    const b = btf()
    let type = b.int('int', 4, { signed: true })
    for (let i = 0; i < 25; i++) type = b.typedef(`t${i}`, type) // each takes a step of its own for every member
    const [MEMBERS, NAME] = [2000, 'n'.repeat(8000)]
    const part = b.struct('', 4 * MEMBERS, Array.from({ length: MEMBERS }, (_, i) => at(NAME, 4 * i, type)))
    for (let i = 0; i < 3; i++) b.struct('alike', 4 * MEMBERS, [at('', 0, part)])
    const parsed = parseBtf(b.bytes())
    const ids = findTypes(parsed, { kind: 'struct', name: 'alike' })
    expect(defineTypes(parsed, ids.slice(0, 1), 'struct')[0]?.members?.[0]?.members?.length).toBe(MEMBERS)
    expect(() => defineTypes(parsed, ids, 'struct')).toThrow(expect.objectContaining({
      code: 'relocation_failed', details: { reason: 'work_limit', limit: 100_000 }
    }))
    expect(writeDefinitions(parsed, ids.slice(0, 1), 'struct').length).toBeGreaterThan(MEMBERS * NAME.length)
    expect(() => writeDefinitions(parsed, ids, 'struct')).toThrow(expect.objectContaining({ code: 'btf_invalid' }))
  })
})
