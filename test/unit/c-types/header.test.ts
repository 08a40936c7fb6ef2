import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeHeader } from '../../../src/c-types/header.js'
import { parseBtf } from '../../../src/index.js'
import { at, btf } from '../../support/btf-builder.js'
import { refusal } from '../../support/scenario.js'

const FIXTURES = join(import.meta.dirname, '../../fixtures/c-types')
/** Newer bpftools say it of enumerations that are not as large as an int. */
const MODE = / __attribute__\(\(mode\((?:byte|word)\)\)\)/g

describe('the types of a BTF as a C header', () => {
  it('are what bpftool makes of them', () => {
    const header = writeHeader(parseBtf(readFileSync(join(FIXTURES, 'shapes.btf'))))
    expect(header.replaceAll(MODE, '')).toBe(readFileSync(join(FIXTURES, 'shapes.h'), 'utf8'))
    expect(header.match(MODE)).toHaveLength(2)
  })

  it('give types of one name flavors, as enumerators and typedefs share their names', () => {
    const b = btf()
    const int = b.int('int', 4, { signed: true })
    b.struct('ring', 4, [at('a', 0, int)])
    b.struct('ring', 8, [at('b', 4, int)])
    b.typedef('state', int)
    b.enum('e', [['state', 1]])
    expect(writeHeader(parseBtf(b.bytes())).split('\n\n').slice(2, -2)).toEqual([
      'struct ring {\n\tint a;\n};', 'struct ring___2 {\n\tint: 32;\n\tint b;\n};',
      'typedef int state;', 'enum e {\n\tstate___2 = 1,\n};'
    ])
  })

  it('are refused where one contains itself, and where they nest without end', () => {
    const self = btf()
    self.struct('self', 4, [at('me', 0, self.nextId)])
    expect(refusal('btf_invalid', () => writeHeader(parseBtf(self.bytes()))).message).toBe(
      'Type 1 contains itself, which C cannot express.'
    )

    const deep = btf()
    let type = deep.int('int', 4)
    for (let i = 0; i < 2000; i++) type = deep.ptr(type)
    deep.typedef('deep', type)
    expect(refusal('btf_invalid', () => writeHeader(parseBtf(deep.bytes()))).message).toContain('nest more than 512 levels deep')
  })

  it('are refused where they would take more text than any kernel', () => {
    const b = btf()
    let type = b.int('int', 4)
    const long = 'x'.repeat(5000)
    for (let i = 0; i < 14; i++) type = b.struct('', 8, [at(`${long}a`, 0, type), at(`${long}b`, 4, type)])
    b.struct('outer', 8, [at('all', 0, type)])
    expect(refusal('btf_invalid', () => writeHeader(parseBtf(b.bytes()))).message).toContain('characters; those of a kernel')
  })
})
