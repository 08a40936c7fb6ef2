import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseRawBtf } from '../../../src/btf/parse.js'
import { parseObject } from '../../../src/core/index.js'
import {
  buildLayoutTable, demandsOf, layoutVector, readLayoutTable, type LayoutTable, type TableSource
} from '../../../src/layout/index.js'
import { assembler } from '../../support/asm.js'
import { at, bitsAt, btf, integers, KIND, type BtfBuilder } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { CONTENT, FORMAT } from '../../support/layout-format.js'
import { buildObject } from '../../support/object-builder.js'

type Types = ReturnType<typeof integers> & { readonly b: BtfBuilder }

interface Shape {
  readonly before?: (types: Types) => void
  readonly state?: (types: Types) => number
  readonly inner?: (types: Types) => number
  readonly pointee?: (types: Types) => number
  readonly root?: (types: Types & { readonly state: number, readonly inner: number, readonly pointee: number }) => void
  readonly after?: (types: Types) => void
}

/** A kernel with a struct root, an enum and a struct that it embeds, and one that it points to; each as it is, or as `shape` says. */
function tableOf (shape: Shape = {}): LayoutTable {
  const b = btf()
  shape.before?.({ b, ...integers(btf()) })
  const types = { b, ...integers(b) }
  const state = shape.state?.(types) ?? b.enum('state', [['OFF', 0], ['ON', 1]])
  const inner = shape.inner?.(types) ?? b.struct('inner', 8, [at('deep', 0, types.int), at('deeper', 4, types.int)])
  const pointee = shape.pointee?.(types) ?? b.struct('pointee', 4, [at('far', 0, types.int)])
  const root = shape.root ?? (all => b.struct('root', 48, members(all)))
  root({ ...types, state, inner, pointee })
  shape.after?.(types)
  const table = readLayoutTable(buildLayoutTable(parseRawBtf(b.bytes()), CONTENT, FORMAT), CONTENT, FORMAT)
  if (table === undefined) throw new Error('a table that was just made cannot be read')
  return table
}

type Parts = Parameters<NonNullable<Shape['root']>>[0]

function members ({ b, int, uint, char, state, inner, pointee }: Parts) {
  return [
    at('a', 0, int), at('name', 4, b.array(char, 16, uint)), at('state', 20, state), at('inner', 24, inner), at('link', 32, b.ptr(pointee)),
    bitsAt('flag', 320, 3, uint), at('', 44, b.union('', 4, [at('whole', 0, uint), at('half', 0, uint)]))
  ]
}

function nameOf (text: string) { return { bytes: new TextEncoder().encode(text), offset: 0, length: text.length } }

const ROOT = nameOf('root')

function vectorOf (shape?: Shape): string | undefined { return layoutVector([ROOT], [tableOf(shape)], FORMAT) }

/** The root with one member otherwise. */
function rootWith (change: (all: Parts) => ReturnType<typeof members>[number], index: number): Shape {
  return { root: all => { all.b.struct('root', 48, members(all).map((member, i) => i === index ? change(all) : member)) } }
}

describe('a layout vector', () => {
  const same: Readonly<Record<string, Shape>> = {
    'all type ids': { before: ({ b }) => { b.int('other', 4); b.struct('other', 4) } },
    'what a pointer leads to, by its members': { pointee: ({ b, ullong }) => b.struct('pointee', 8, [at('farther', 0, ullong)]) },
    'types that the object does not demand': { after: ({ b, int }) => { b.struct('unrelated', 4, [at('x', 0, int)]) } }
  }
  it.each(Object.entries(same))('stays with other %s', (_what, shape) => {
    expect(vectorOf(shape)).toBe(vectorOf())
  })

  const others: Readonly<Record<string, Shape>> = {
    'name of a member': rootWith(({ int }) => at('b', 0, int), 0),
    'place of a member': rootWith(({ int }) => at('a', 44, int), 0),
    'type of a member': rootWith(({ uint }) => at('a', 0, uint), 0),
    'typedef of a member': rootWith(({ b, int }) => at('a', 0, b.typedef('a_t', int)), 0),
    'length of an array': rootWith(({ b, char, uint }) => at('name', 4, b.array(char, 15, uint)), 1),
    'name of the struct that a pointer leads to': rootWith(({ b }) => at('link', 32, b.ptr(b.struct('else', 4))), 4),
    'declaration instead of the struct that a pointer leads to': rootWith(({ b }) => at('link', 32, b.ptr(b.fwd('pointee'))), 4),
    'signature behind a pointer': rootWith(({ b, int }) => at('link', 32, b.ptr(b.funcProto(int))), 4),
    'width of a bitfield': rootWith(({ uint }) => bitsAt('flag', 320, 4, uint), 5),
    'place of a bitfield': rootWith(({ uint }) => bitsAt('flag', 321, 3, uint), 5),
    'member of an anonymous union': rootWith(({ b, uint }) => at('', 44, b.union('', 4, [at('whole', 0, uint), at('rest', 0, uint)])), 6),
    'name instead of an anonymous union': rootWith(({ b, uint }) =>
      at('both', 44, b.union('', 4, [at('whole', 0, uint), at('half', 0, uint)])), 6),
    'size of the struct': { root: all => { all.b.struct('root', 56, members(all)) } },
    'kind of the type': { root: all => { all.b.union('root', 48, members(all)) } },
    'member more': { root: all => { all.b.struct('root', 48, [...members(all), at('more', 44, all.int)]) } },
    'order of members': { root: all => { all.b.struct('root', 48, members(all).reverse()) } },
    'value of an enumerator': { state: ({ b }) => b.enum('state', [['OFF', 0], ['ON', 2]]) },
    'name of an enumerator': { state: ({ b }) => b.enum('state', [['OFF', 0], ['YES', 1]]) },
    'sign of an enum': { state: ({ b }) => b.enum('state', [['OFF', 0], ['ON', 1]], { signed: true }) },
    'size of an enum': { state: ({ b }) => b.enum('state', [['OFF', 0], ['ON', 1]], { size: 1 }) },
    'enum of 64 bits': { state: ({ b }) => b.enum64('state', [['OFF', 0], ['ON', 1]]) },
    'place within a struct that is embedded': { inner: ({ b, int }) => b.struct('inner', 8, [at('deep', 4, int), at('deeper', 0, int)]) },
    'name of a struct that is embedded': { inner: ({ b, int }) => b.struct('inside', 8, [at('deep', 0, int), at('deeper', 4, int)]) },
    'type of the same name': { after: ({ b, int }) => { b.struct('root', 4, [at('a', 0, int)]) } },
    'flavour of the same name': { after: ({ b, int }) => { b.struct('root___2', 4, [at('a', 0, int)]) } },
    'type of another kind with the name': { after: ({ b, int }) => { b.typedef('root', int) } }
  }
  it.each(Object.entries(others))('is another with another %s', (_what, shape) => {
    expect(vectorOf(shape)).toMatch(/^[^]{32}$/)
    expect(vectorOf(shape)).not.toBe(vectorOf())
  })

  it('is another with another member or parameter in types without a name, however long these are', () => {
    for (const count of [1, 2, 10, 100]) {
      const lengthy = (last: string): Shape => rootWith(({ b, uint }) => {
        const names = [...Array.from({ length: count }, (_, i) => `member_${i}`), last]
        return at('', 44, b.union('', 4, names.map(name => at(name, 0, uint))))
      }, 6)
      expect(vectorOf(lengthy('same')), `${count} members`).toBe(vectorOf(lengthy('same')))
      expect(vectorOf(lengthy('same')), `${count} members`).not.toBe(vectorOf(lengthy('other')))
      const called = (last: 'int' | 'uint'): Shape => rootWith(all => {
        const types = [...Array.from({ length: count }, () => all.ullong), all[last]]
        return at('link', 32, all.b.ptr(all.b.funcProto(0, types.map((type, i) => [`p${i}`, type]))))
      }, 4)
      expect(vectorOf(called('int')), `${count} parameters`).toBe(vectorOf(called('int')))
      expect(vectorOf(called('int')), `${count} parameters`).not.toBe(vectorOf(called('uint')))
    }
  })

  it('tells names of any length from each other, and from a shorter one with another member behind it', () => {
    const names = Array.from({ length: 9 }, (_, i) => 'abcdefghi'.slice(0, i + 1))
    const vectors = names.flatMap(name => [name, `${name.slice(0, -1)}~`]).map(name => vectorOf(rootWith(({ int }) => at(name, 0, int), 0)))
    expect(new Set(vectors).size).toBe(18)
  })

  it('is the same where a type without a name is there twice', () => {
    const unions = (times: number): Shape => ({
      root: all => {
        const make = (): number => all.b.union('', 4, [at('x', 0, all.int), at('y', 0, all.uint)])
        const first = make()
        all.b.struct('root', 8, [at('', 0, first), at('', 4, times === 1 ? first : make())])
      }
    })
    expect(vectorOf(unions(2))).toBe(vectorOf(unions(1)))
  })

  it('tells the order of two types of one name, of which libbpf takes the first', () => {
    const small = ({ b, int }: Types): void => { b.struct('root', 4, [at('a', 0, int)]) }
    const large = ({ b, int }: Types): void => { b.struct('root', 8, [at('a', 0, int)]) }
    const both = (first: typeof small, second: typeof small): string | undefined => vectorOf({ root: all => { first(all); second(all) } })
    expect(both(small, large)).not.toBe(both(large, small))
  })

  it('is another without the type, and the same wherever that is missing', () => {
    const missing = vectorOf({ root: () => {} })
    expect(missing).not.toBe(vectorOf())
    expect(vectorOf({ root: () => {}, after: ({ b }) => { b.struct('unrelated', 4) } })).toBe(missing)
  })

  describe('of bio, whose disk moved from bio.bi_disk to bio.bi_bdev->bd_disk,', () => {
    interface Device { readonly member?: string, readonly pointee?: string, readonly width?: number, readonly others?: number }
    const vectorOfBio = ({ member = 'bd_disk', pointee = 'gendisk', width, others = 0 }: Device = {}): string | undefined => layoutVector([
      { bytes: new TextEncoder().encode('bio'), offset: 0, length: 3 }
    ], [tableOf({
      after: ({ b, int }) => {
        const disk = width === undefined ? at(member, 0, b.ptr(b.fwd(pointee))) : bitsAt(member, 0, width, int)
        const more = Array.from({ length: others }, (_, i) => at(`other_${i}`, 64 + 32 * i, int))
        b.struct('bio', 8, [at('bi_bdev', 0, b.ptr(b.struct('block_device', 8 + 4 * others, [disk, ...more])))])
      }
    })], FORMAT)

    it('covers where reasons find the disk behind the pointer', () => {
      const vectors = [{}, { member: 'bd_other' }, { pointee: 'disk' }, { width: 3 }, { width: 4 }].map(vectorOfBio)
      expect(new Set(vectors).size).toBe(vectors.length)
      expect(vectors).not.toContain(undefined)
    })

    it('covers nothing else of what the pointer leads to, which no relocation of bio sees', () => {
      expect(vectorOfBio({ others: 1 })).toBe(vectorOfBio())
      expect(vectorOfBio({ member: 'bd_other', others: 2 })).toBe(vectorOfBio({ member: 'bd_another' }))
    })

    it('covers nothing behind the pointer that is past the members which reasons look at', () => {
      const far = (member: string): string | undefined => layoutVector([
        { bytes: new TextEncoder().encode('bio'), offset: 0, length: 3 }
      ], [tableOf({
        after: ({ b, int }) => {
          const before = Array.from({ length: 20_000 }, (_, i) => at(`m${i}`, 32 * i, int))
          b.struct('bio', 8, [at('bi_bdev', 0, b.ptr(b.struct('block_device', 80_004, [...before, at(member, 640_000, int)])))])
        }
      })], FORMAT)
      expect(far('bd_disk')).toBe(far('bd_other'))
      expect(far('bd_disk')).not.toBeUndefined()
    })
  })

  it('is none for a type that is made of itself, or nested beyond measure', () => {
    expect(vectorOf({ root: ({ b }) => { b.struct('root', 8, [at('self', 0, b.nextId)]) } })).toBeUndefined()
    expect(vectorOf({
      root: ({ b, int }) => { b.struct('root', 8, [at('a', 0, Array.from({ length: 100 }).reduce<number>(id => b.const(id), int))]) }
    })).toBeUndefined()
  })

  it('covers the last of many members whose names and types are long', () => {
    const last = (name: string): string | undefined => vectorOf({
      root: ({ b, int }) => {
        const typedef = b.typedef('t'.repeat(8000), int)
        const inside = b.struct('', 4, [at('i'.repeat(8000), 0, typedef)])
        const names = [...Array.from({ length: 99 }, (_, i) => String(i).padEnd(8000, 'm')), name]
        b.struct('root', 400, names.map((member, i) => at(member, 4 * i, i % 2 === 0 ? typedef : inside)))
      }
    })
    expect(last('last')).toMatch(/^[^]{32}$/)
    expect(last('last')).toBe(last('last'))
    expect(last('last')).not.toBe(last('lasT'))
  })

  it('is none for a type with a member whose name is longer than any that is read', () => {
    expect(vectorOf({ root: ({ b, int }) => { b.struct('root', 4, [at('a'.repeat(8193), 0, int)]) } })).toBeUndefined()
    expect(vectorOf({ root: ({ b, int }) => { b.struct('root', 4, [at('a'.repeat(8192), 0, int)]) } })).toMatch(/^[^]{32}$/)
  })

  describe('is none behind types that cost more than all of a kernel, so that a walk of other people\'s BTF comes to an end:', () => {
    const costs: Readonly<Record<string, (parts: Parts, count: number) => void>> = {
      'structs whose disk is looked for among thousands of members' ({ b, int }, count) {
        const many = b.struct('', 4, Array.from({ length: 5000 }, () => at('x', 0, int)))
        for (let i = 0; i < count; i++) b.struct('request', 4, [at('', 0, many)])
      },
      'members whose names are longer than any that is read' ({ b, int }, count) {
        const long = b.string('a'.repeat(10_000))
        for (let i = 0; i < count; i++) b.raw({ name: `of${i}`, kind: KIND.STRUCT, vlen: 1, sizeOrType: 4, tail: [long, int, 0] })
      },
      'members whose long names lie within each other' ({ b, int }, count) {
        const long = b.string('a'.repeat(8000))
        for (let i = 0; i < count; i++) b.raw({ name: `of${i}`, kind: KIND.STRUCT, vlen: 1, sizeOrType: 4, tail: [long + i, int, 0] })
      }
    }
    it.each(Object.entries(costs))('%s', (_what, cost) => {
      const vector = (count: number): string | undefined => vectorOf({
        root (all) {
          cost(all, count)
          all.b.struct('root', 48, members(all))
        }
      })
      expect(vector(1)).toBe(vectorOf())
      expect(vector(2000)).toBeUndefined()
    })
  })

  it('tells vmlinux from modules, whose types count where vmlinux has none', () => {
    const [kernel, module] = [tableOf({ root: () => {} }), tableOf()]
    const vectors = [[kernel], [kernel, module], [module, kernel]].map(tables => layoutVector([ROOT], tables, FORMAT))
    expect(new Set(vectors).size).toBe(3)
  })
})

describe('a layout table', () => {
  const INTEGERS = [
    'int', 'unsigned int', 'char', 'unsigned char', 'short', 'unsigned short', 'long long', 'unsigned long long', '_Bool'
  ].map(nameOf)
  const bytes = (() => {
    const b = btf()
    integers(b)
    return buildLayoutTable(parseRawBtf(b.bytes()), CONTENT, FORMAT)
  })()

  it('is read as what it was made of, and not where a byte of it is another', () => {
    const whole = readLayoutTable(bytes, CONTENT, FORMAT)
    const digests = INTEGERS.map(name => whole?.find(name))
    expect(whole).toMatchObject({ names: 9, isDamaged: false })
    expect(new Set(digests).size).toBe(9)
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice()
      changed[i] = (changed[i] ?? 0) ^ 1
      const damaged = readLayoutTable(changed, CONTENT, FORMAT)
      const found = damaged === undefined ? [] : INTEGERS.map(name => damaged.find(name))
      expect(found.filter(digest => digest !== undefined), `byte ${i}`).toEqual([])
      expect(damaged === undefined || damaged.isDamaged, `byte ${i}`).toBe(true)
      expect(readLayoutTable(bytes.slice(0, i), CONTENT, FORMAT), `cut at ${i}`).toBeUndefined()
    }
    expect(readLayoutTable(bytes, CONTENT.replace('0', '1'), FORMAT)).toBeUndefined()
    expect(readLayoutTable(bytes, CONTENT, { ...FORMAT, followed: [] })).toBeUndefined()
  })

  it('has the same bytes for the same BTF as long as its version is the same: raise VERSION when this fails', () => {
    const b = btf()
    const { int, uint, char } = integers(b)
    const inner = b.union('', 4, [at('whole', 0, uint), at('half', 0, int)])
    const state = b.enum('state', [['OFF', 0], ['ON', 1]])
    const callback = b.ptr(b.funcProto(int, [['state', state], ['data', b.ptr(0)]]))
    b.typedef('root_t', b.struct('root', 48, [
      at('a', 0, int), at('name', 4, b.array(char, 16, uint)), at('', 20, inner), at('call', 24, callback), bitsAt('flag', 320, 3, uint)
    ]))
    const table = buildLayoutTable(parseRawBtf(b.bytes()), CONTENT, FORMAT)
    expect(createHash('sha256').update(table).digest('hex').slice(0, 16)).toBe('83154d9ee7236507')
  })

  it('that is damaged in a part which nobody asks for answers what is asked of the others', () => {
    const b = btf()
    const names = Array.from({ length: 2000 }, (_, i) => `type_${i}`)
    for (const [i, name] of names.entries()) b.struct(name, 4 + i, [])
    const large = buildLayoutTable(parseRawBtf(b.bytes()), CONTENT, FORMAT)
    const whole = readLayoutTable(large, CONTENT, FORMAT)
    const digests = names.map(name => whole?.find(nameOf(name)))
    large.fill(0, -50)
    const damaged = readLayoutTable(large, CONTENT, FORMAT)
    const found = names.map(name => damaged?.find(nameOf(name)))
    const lost = found.filter(digest => digest === undefined).length
    expect(lost).toBeGreaterThan(0)
    expect(lost).toBeLessThan(names.length / 2)
    expect(found.every((digest, i) => digest === undefined || digest === digests[i])).toBe(true)
    expect(damaged?.isDamaged).toBe(true)
    expect([whole?.isWhole(), readLayoutTable(large, CONTENT, FORMAT)?.isWhole()]).toEqual([true, false])
  })

  it('is read in parts, and no more of it than what is looked for', () => {
    const b = btf()
    const names = Array.from({ length: 40_000 }, (_, i) => `type_${i}`)
    for (const [i, name] of names.entries()) b.struct(name, 4 + i, [])
    const large = buildLayoutTable(parseRawBtf(b.bytes()), CONTENT, FORMAT)
    let [bytesRead, end] = [0, large.length]
    const source: TableSource = {
      byteLength: large.length,
      read (from, to) {
        const part = large.subarray(from, Math.min(to, end))
        bytesRead += part.length
        return part
      }
    }
    const parts = readLayoutTable(source, CONTENT, FORMAT)
    const whole = readLayoutTable(large, CONTENT, FORMAT)
    const [name = ''] = names
    expect(parts?.find(nameOf(name))).toBe(whole?.find(nameOf(name)))
    expect(bytesRead).toBeGreaterThan(0)
    expect(bytesRead).toBeLessThan(large.length / 10)
    expect(names.map(name => parts?.find(nameOf(name)))).toEqual(names.map(name => whole?.find(nameOf(name))))

    end -= 1000 // as a file that was cut while it is read
    const cut = readLayoutTable(source, CONTENT, FORMAT)
    expect([cut?.isWhole(), cut?.isDamaged]).toEqual([false, true])
  })
})

describe('what an object demands', () => {
  it('includes what reasons tell beside a type: the registers of the kernel, and another name of the type', () => {
    const demandsFor = (name: string): string[] => {
      const local = btf()
      const typeId = local.struct(name, 8, [at('regs', 0, integers(local).int)])
      const asm = assembler('little')
      const object = parseObject(buildObject({
        local,
        programs: [{ section: 'kprobe/x', name: 'p', code: concat(asm.mov(1, 0), asm.exit()) }],
        records: [{ section: 'kprobe/x', insnOff: 0, typeId, access: '0:0', kind: 'byte_off' }]
      }).bytes)
      return (demandsOf(object) ?? []).map(({ bytes, offset, length }) => new TextDecoder().decode(bytes.subarray(offset, offset + length)))
    }
    expect(demandsFor('user_pt_regs')).toEqual(['user_pt_regs', 'pt_regs'])
    expect(demandsFor('fanotify_event')).toEqual(['fanotify_event', 'fanotify_event_info'])
    expect(demandsFor('task_struct')).toEqual(['task_struct'])
  })
})
