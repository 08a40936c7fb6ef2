import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { describeRelocation, type RelocationReport } from '../../../src/report/index.js'
import type { ModulesWith } from '../../../src/report/reasons/reason.js'
import { bytesOf, compiledKernel, compiledObject } from '../../support/compiled.js'

function reportOf (name: string, kernel = name, modulesWith: ModulesWith = () => []): RelocationReport {
  const object = parseObject(bytesOf(compiledObject(name)))
  return describeRelocation(object, relocate(object, parseBtf(bytesOf(compiledKernel(kernel)))), { modulesWith })
}

/** What the report says of the one relocation of a program that has a reason. */
function reasonIn ({ relocations }: RelocationReport, program: string) {
  const [entry, ...others] = relocations.filter(({ reason, places }) => reason !== null && places.some(place => place.program === program))
  if (entry === undefined || others.length > 0) throw new Error(`${others.length + 1} entries have a reason`)
  const { status, reason, detail } = entry
  return { status, reason, detail }
}

const PROTOCOL = 'sock.sk_protocol is unsigned short sk_protocol (2 bytes) in the object and unsigned int sk_protocol:8 (a bitfield at ' +
  'bit 4296) in this kernel'

describe('a compiled program that reads what is a bitfield in the kernel', () => {
  const report = reportOf('bitfields')

  it('as a plain field of another size is told of the bitfield', () => {
    expect(reasonIn(report, 'direct')).toEqual({
      status: 'poisoned',
      reason: 'access_size_unsafe',
      detail: `${PROTOCOL}; only pointers and unsigned integers can be read at another size.`
    })
  })

  it('through its address is warned that it reads a wrong value', () => {
    expect(reasonIn(report, 'probed')).toEqual({
      status: 'resolved',
      reason: 'bitfield_read_plainly',
      detail: `${PROTOCOL}. The program reads it as a plain field, so that it gets a wrong value, as it would from libbpf.`
    })
  })

  it('at the bits that it has in the object is warned that they moved', () => {
    expect(reasonIn(report, 'moved')).toMatchObject({
      status: 'resolved',
      reason: 'bitfield_read_plainly',
      detail: 'flags.b0 is unsigned int b0:1 (a bitfield at bit 44) in the object and unsigned int b0:1 (a bitfield at bit 96) in this ' +
        'kernel. ' +
        'The program reads it at the bits that it has in the object, so that it gets a wrong value, as it would from libbpf.'
    })
  })

  it('fails or loads by that, and the warnings say what to write instead', () => {
    expect(report.programs.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual(['direct fails', 'probed loads', 'moved loads'])
    expect(report.warnings.filter(({ message }) => message.endsWith('Read it with BPF_CORE_READ_BITFIELD_PROBED().')).map(({ code }) =>
      code)).toEqual(['bitfield_read_plainly', 'bitfield_read_plainly'])
  })
})

describe('a compiled value that libbpf reads differently', () => {
  const report = reportOf('compiled-values')

  it.each([
    ['cut_offset', 'The instruction holds 8 where the object\'s own types say 65544 for big.f. The compiler cut the offset to 16 bits'],
    [
      'high_enumerator',
      'The instruction holds 2147483648 where the object\'s own types say 18446744071562067968 (signed -2147483648) for high.HIGH. The ' +
        'compiler takes the enumerator as unsigned'
    ],
    [
      'signed_enum',
      'The instruction holds 1 where the object\'s own types say 0 for holder.s. clang 14 and older say "signed" of such an enum'
    ]
  ])('is refused with the cause in the compiler: %s', (program, detail) => {
    const found = reasonIn(report, program)
    expect(found).toMatchObject({ status: 'failed', reason: 'value_mismatch' })
    expect(found.detail?.slice(0, detail.length)).toBe(detail)
  })
})

describe('a compiled access that breaks off', () => {
  it('is told with its struct, its member and the array', () => {
    const { detail, ...rest } = reasonIn(reportOf('zero-length', 'two-names'), 'broken')
    expect(rest).toEqual({ status: 'failed', reason: 'access_malformed' })
    expect(detail).toContain(' of struct mid does not fit the object\'s own type at mid.z (char z[0])')
  })
})

describe('a compiled program that reads a type of a module', () => {
  it('is told of the module, where one of the kernel has the type', () => {
    const { relocations } = reportOf('module-type', 'module-type', type => type === 'struct nfs_inode' ? ['nfs'] : [])
    expect(relocations.map(({ access, reason }) => [access, reason])).toEqual([
      ['nfs_inode.vfs_inode', 'type_in_module'], ['nfs_inode.fileid', 'type_in_module']
    ])
    expect(relocations[0]?.detail).toMatch(/^The kernel itself has no struct nfs_inode; its module nfs has one\./)
    expect(reportOf('module-type').relocations.map(({ detail }) => detail)).toEqual([
      'This kernel has no struct nfs_inode.', 'This kernel has no struct nfs_inode.'
    ])
  })
})

describe('a compiled function with two names', () => {
  it('has the same relocations and verdict under both', () => {
    const report = reportOf('two-names')
    expect(report.programs.map(({ name, verdict, relocations }) => [name, verdict, relocations])).toEqual([
      ['second', 'fails', 2], ['first', 'fails', 2]
    ])
    expect(report.relocations.map(({ access, places }) => [access, places.map(({ program, instruction }) => `${program} ${instruction}`)]))
      .toEqual([['task_struct.pid', ['second 1', 'first 1']], ['task_struct.gone', ['second 2', 'first 2']]])
  })
})

describe('a compiled program that reads a struct which no kernel has', () => {
  const report = reportOf('own-type')
  const told = (type: string) =>
    report.relocations.filter(entry => entry.type === type).map(({ reason, detail, suggestions }) => ({ reason, detail, suggestions }))

  it('is told to take the attribute off, and not to guard it, where a map stores the struct', () => {
    expect(told('struct visitor')).toEqual([{
      reason: 'type_missing',
      detail: 'This kernel has no struct visitor. The program\'s map visitors stores it, so it seems to be the program\'s own type, ' +
        'which no kernel has. It has a value only where the loader supplies the layout, as by KernelTypes of cilium/ebpf or ' +
        'btf_custom_path of libbpf.',
      suggestions: [{
        text: 'Take preserve_access_index off it, or declare it where no #pragma clang attribute push adds that:',
        code: 'struct visitor {\n\tunsigned int pid;\n\tchar comm[16];\n\tstruct visitor *next;\n};'
      }]
    }])
  })

  it('is told of the possibility where nothing shows whose struct it is', () => {
    expect(told('struct unstored')).toEqual([{
      reason: 'type_missing',
      detail: 'This kernel has no struct unstored.',
      suggestions: [
        {
          text: 'Use struct unstored only where the kernel has it:',
          code: 'if (bpf_core_type_exists(struct unstored)) {\n\t/* use struct unstored here */\n}'
        },
        {
          text: 'If struct unstored is the program\'s own, it has a value only where the loader supplies the layout, as by ' +
            'KernelTypes of cilium/ebpf or btf_custom_path of libbpf. Otherwise take preserve_access_index off it, or declare it ' +
            'where no #pragma clang attribute push adds that:',
          code: 'struct unstored {\n\t/* its members */\n};'
        }
      ]
    }])
  })

  it('is not told so of a flavour, which is meant to be one of the kernel', () => {
    expect(told('struct task___fast')[0]?.suggestions.map(({ text }) => text)).toEqual([
      'Use struct task___fast only where the kernel has it:'
    ])
  })
})
