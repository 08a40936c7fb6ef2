import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findTypes } from '../../../src/c-types/named-types.js'
import { defineType, writeType } from '../../../src/c-types/type-definition.js'
import type { NamedKind } from '../../../src/wire/types.js'
import { parseBtf } from '../../../src/index.js'

const shapes = parseBtf(readFileSync(join(import.meta.dirname, '../../fixtures/c-types/shapes.btf')))

function only (kind: NamedKind, name: string) {
  const [id, ...others] = findTypes(shapes, { kind, name })
  if (id === undefined || others.length > 0) throw new Error(`${kind} ${name} is there ${others.length + 1} times`)
  return id
}

describe('one type', () => {
  it('is C with the place of each member, in bytes, and in bits where it is a bitfield', () => {
    expect(writeType(shapes, only('struct', 'bits'), 'struct')).toBe([
      'struct bits {', '\tint a: 3; /* 0:0 */', '\tchar: 5;', '\tunsigned int b: 7; /* 1:0 */', '\tlong: 49;',
      '\tunsigned long long c: 40; /* 8:0 */', '\tu8 d; /* 13 */', '\tunsigned short e: 4; /* 14:0 */', '\tint f; /* 16 */',
      '\tunsigned int g: 1; /* 20:0 */', '}; /* 24 bytes */', ''
    ].join('\n'))
  })

  it('has the places of what is in a nameless part from the start of the whole', () => {
    expect(writeType(shapes, only('struct', 'nested'), 'struct')).toContain('\t\tstruct {\n\t\t\tint x; /* 0 */\n\t\t\tint y; /* 4 */\n\t\t}; /* 0 */')
    const { members, size } = defineType(shapes, only('struct', 'nested'), 'struct')
    expect(size).toBe(120)
    expect(members?.[0]).toMatchObject({ name: null, type: 'union', bit_offset: 0, size: 16 })
    expect(members?.[0]?.members?.[0]?.members).toEqual([
      { name: 'x', type: 'int', bit_offset: 0, bitfield_size: null, size: 4 },
      { name: 'y', type: 'int', bit_offset: 32, bitfield_size: null, size: 4 }
    ])
    expect(members?.map(({ type }) => type)).toContain('int (*)(struct nested *, int (*)(void *, int), volatile const u64 *)')
  })

  it('may be an enumeration or a typedef', () => {
    expect(defineType(shapes, only('enum', 'small'), 'enum')).toMatchObject({ size: 1, enumerators: [{ name: 'SMALL_A', value: '0' }, { name: 'SMALL_B', value: '200' }] })
    expect(writeType(shapes, only('typedef', 'matrix_t'), 'typedef')).toBe('typedef int matrix_t[2][3]; /* 24 bytes */\n')
    expect(defineType(shapes, only('typedef', 'handler_t'), 'typedef')).toMatchObject({ type: 'int (*)(const struct only_declared *, u32, ...)', size: 8 })
  })

  it('is looked for by its very name, not by its flavors', () => {
    expect(findTypes(shapes, { kind: 'struct', name: 'bits___other' })).toEqual([])
    expect(findTypes(shapes, { kind: 'union', name: 'bits' })).toEqual([])
    expect(findTypes(shapes, { kind: 'struct', name: 'nobody' })).toEqual([])
  })
})
