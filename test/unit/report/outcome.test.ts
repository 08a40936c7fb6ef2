import { expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { buildOutcome, judgeRelocation, type Outcome } from '../../../src/report/index.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { buildObject, type CoreRecord, type ProgramSpec } from '../../support/object-builder.js'

const SECTION = 'raw_tp/a'
const asm = assembler('little')

/** Of programs that read a member each that the kernel lacks, all on one line of the source: the inlined one, and the last the other. */
function outcomeOf (inlined: number): Outcome {
  const local = btf()
  const { int } = integers(local)
  const typeId = local.struct('foo', 8, [at('inlined', 0, int), at('other', 4, int)])
  const members = [...Array.from({ length: inlined }, () => 0), 1]
  const code = concat(asm.mov(1, 0), asm.exit())
  const programs = members.map((_, i): ProgramSpec => ({ section: SECTION, name: `p${i}`, code }))
  const records = members.map((member, i): CoreRecord =>
    ({ section: SECTION, insnOff: code.length * i, typeId, access: `0:${member}`, kind: 'byte_off' }))
  const kernel = btf()
  kernel.struct('foo', 8, [at('there', 0, integers(kernel).int)])
  const object = parseObject(buildObject({ local, programs, records }).bytes)
  const relocation = relocate(object, parseBtf(kernel.bytes()))
  return buildOutcome(object, relocation, judgeRelocation(object, relocation))
}

it('lists the first failure of each line although another line has more instructions than are listed', () => {
  const { failures, failures_total: total } = outcomeOf(150)
  expect([failures.length, total]).toEqual([100, 151])
  expect(failures.map(({ access, program }) => `${access} in ${program}`)).toEqual(
    [...Array.from({ length: 99 }, (_, i) => `foo.inlined in p${i}`), 'foo.other in p150'])
})

it('lists all failures in their order where there are not too many', () => {
  expect(outcomeOf(99).failures.map(({ program }) => program)).toEqual(Array.from({ length: 100 }, (_, i) => `p${i}`))
})
