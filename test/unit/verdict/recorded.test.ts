import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { ABILITIES } from '../../../src/verdict/age.js'
import { judge } from '../../../src/verdict/index.js'
import { bytesOf } from '../../support/compiled.js'
import { at, btf, integers } from '../../support/btf-builder.js'

/** Programs of test/differential/verdict, compiled, and what the verifiers of real kernels said of each: see `npm run test:verdict`. */
const FOLDER = join(import.meta.dirname, '../../fixtures/verdict')

type Answer = 'ok' | 'poison' | 'before' | 'later'

interface Recorded {
  /** `uname -r` */
  readonly kernel: string
  /** Kernel functions of the programs that its BTF has. */
  readonly functions: readonly string[]
  /** By object and program. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, Answer>>>>
}

const RECORDED = JSON.parse(readFileSync(join(FOLDER, 'answers.json'), 'utf8')) as readonly Recorded[]

/** What the programs ask for and every kernel has; what they have not is what their verdict is about. */
function kernelTypes () {
  const types = btf()
  const { int } = integers(types)
  types.struct('task_struct', 16, [at('pid', 0, int), at('tgid', 4, int), at('mm', 8, types.ptr(int))])
  types.struct('list_head', 16, [at('next', 0, types.ptr(int)), at('prev', 8, types.ptr(int))])
  types.enum('bpf_map_type', [['BPF_MAP_TYPE_HASH', 1]])
  return parseBtf(types.bytes())
}

describe.each(RECORDED.map(recorded =>
  [recorded.kernel, recorded] as const))('the verdict for Linux %s', (kernelRelease, { functions, answers }) => {
  it.each(Object.keys(answers))('is what its verifier said of the programs of %s', name => {
    const object = parseObject(bytesOf(join(FOLDER, `${name}.bpf.o`)))
    const hasKernelSymbol = (symbol: string): boolean => functions.includes(symbol)
    const { programs } = judge(object, relocate(object, kernelTypes()), { kernelRelease, hasKernelSymbol })
    const found = programs.flatMap(({ name: program, verdict }) => {
      const answer = answers[name]?.[program]
      return answer === undefined ? [] : [{ program, verdict, answer }]
    })
    expect(found.length).toBe(Object.keys(answers[name] ?? {}).length)
    expect(found.filter(({ verdict, answer }) => verdict === 'loads' && answer === 'poison')).toEqual([])
    expect(found.filter(({ verdict, answer }) => verdict === 'fails' && (answer === 'ok' || answer === 'later'))).toEqual([])
    expect(found.filter(({ verdict }) => verdict === 'unknown').length).toBeLessThan(0.1 * found.length)
    expect(found.some(({ verdict, answer }) => verdict === 'fails' && answer === 'poison')).toBe(true)
  })
})

/** Distributions bring new parts of the verifier to old kernels: theirs may be that of any kernel from the named version on. */
const IN_DOUBT = [['4.18.0-553.el8_10.x86_64', RECORDED], ['5.14.0-427.el9.x86_64', RECORDED.slice(1)]] as const

describe.each(IN_DOUBT)('the verdict for %s, whose verifier may be of any later age,', (kernelRelease, recorded) => {
  it.each(recorded.flatMap(({ kernel, functions, answers }) =>
    Object.entries(answers).map(([name, said]) => ({ name, kernel, functions, said }))
  ))('is not refuted by what Linux $kernel said of the programs of $name', ({ name, functions, said }) => {
    const object = parseObject(bytesOf(join(FOLDER, `${name}.bpf.o`)))
    const hasKernelSymbol = (symbol: string): boolean => functions.includes(symbol)
    const { programs } = judge(object, relocate(object, kernelTypes()), { kernelRelease, hasKernelSymbol })
    const refuted = programs.filter(({ name: program, verdict }) => {
      const answer = said[program]
      return verdict === 'loads' ? answer === 'poison' : verdict === 'fails' && (answer === 'ok' || answer === 'later')
    })
    expect(refuted.map(({ name: program, verdict }) => `${program}: ${verdict}`)).toEqual([])
  })
})

describe('what verifiers learned', () => {
  /** What a kernel's verifier said of the programs of `ages` that are about an ability. */
  const answersAbout = (name: string, { answers: { ages = {} } }: Recorded): string =>
    Object.entries(ages).filter(([program]) => program === name || program.startsWith(`${name}_`)).map(([program, answer]) =>
      `${program} ${answer}`).join()

  it.each(
    Object.entries(ABILITIES)
  )('is named with its commit, or seen in programs of which two kernels say different things: %s', (name, row) => {
    if ('commit' in row) expect(row.commit).toMatch(/^https:\/\/github\.com\/torvalds\/linux\/commit\/[0-9a-f]{12}$/)
    else expect(new Set(RECORDED.map(recorded => answersAbout(name, recorded))).size).toBeGreaterThan(1)
  })
})
