import { describe, expect, it } from 'vitest'
import {
  ALL_ROWS as ALL, describeKernels, groupByOutcome, listColumns, listItems, toggleGroup, type RowChoice
} from '../../../page/model/groups.js'
import { countStates, createMatrix } from '../../../page/model/matrix.js'
import { sentenceOf } from '../../../page/model/sentence.js'

const A = `sha256:${'a'.repeat(64)}`
const B = `sha256:${'b'.repeat(64)}`
const LOADS = { state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 }
const FAILS = { ...LOADS, state: 'fails', reason: 'struct foo has no member y.', failures_total: 2 }

const row = (object: string, name: string, kernel: string, outcome: object): string =>
  JSON.stringify({ object, object_name: name, kernel, ...outcome })
const kernelOf = (patch: number): string => `ubuntu/20.04/x86_64/5.4.0-${patch}-generic`

function filled () {
  const matrix = createMatrix([{ name: 'a.bpf.o', sha256: undefined }, { name: 'b.bpf.o', sha256: B }])
  for (const patch of [9, 10, 42]) {
    matrix.add(row(A, 'a.bpf.o', kernelOf(patch), LOADS))
    matrix.add(row(B, 'b.bpf.o', kernelOf(patch), patch === 42 ? FAILS : LOADS))
  }
  return matrix
}

describe('the matrix of a check', () => {
  it('learns the hash of an object from its rows, and keeps equal outcomes once', () => {
    const matrix = filled()
    expect(matrix.columns).toEqual([{ name: 'a.bpf.o', sha256: A }, { name: 'b.bpf.o', sha256: B }])
    expect(matrix.outcomes).toEqual([LOADS, FAILS])
    expect(matrix.kernels.get(kernelOf(42))).toEqual([0, 1])
    expect([matrix.rows, countStates(matrix).get('fails'), countStates(matrix).get('loads')]).toEqual([6, 1, 5])
  })

  it('puts kernels together whose outcomes differ in nothing but their own version', () => {
    const matrix = createMatrix([{ name: 'a.bpf.o', sha256: A }])
    for (const version of ['5.4.9', '5.4.10']) {
      const programs = [{ name: 'p', assumes: ['.rodata.x = 0', `LINUX_KERNEL_VERSION = ${version}`] }]
      matrix.add(row(A, 'a.bpf.o', version, { ...LOADS, programs }))
    }
    expect(groupByOutcome(matrix).map(({ kernels }) => kernels)).toEqual([['5.4.9', '5.4.10']])
  })

  it('takes an empty line for nothing, and the last line for the end', () => {
    const matrix = filled()
    matrix.add('')
    expect([matrix.rows, matrix.summary, matrix.earlyEnd]).toEqual([6, undefined, undefined])
    matrix.add('{"summary":null,"problem":{"code":"deadline_exceeded","detail":"The check took longer."}}')
    expect([matrix.summary, matrix.earlyEnd?.detail]).toEqual([undefined, 'The check took longer.'])
    expect(matrix.warnings).toEqual([])
    const warnings = [{ object: 'sha256:0', object_name: 'a.bpf.o', code: 'nothing_to_relocate', message: 'It has none.' }]
    matrix.add(JSON.stringify({ summary: { rows: 6 }, warnings }))
    expect(matrix.warnings).toEqual(warnings)
    expect([matrix.summary?.rows, matrix.earlyEnd]).toEqual([6, undefined])
  })

  it('takes a row of a group for each of its kernels, and what comes later for what holds', () => {
    const matrix = filled()
    const kernels = [9, 10, 42, 43].map(kernelOf)
    matrix.add(JSON.stringify({ object: A, object_name: 'a.bpf.o', kernels, ...FAILS }))
    expect([...matrix.kernels]).toEqual([[kernels[0], [1, 0]], [kernels[1], [1, 0]], [kernels[2], [1, 1]], [kernels[3], [1, -1]]])
    expect([matrix.rows, countStates(matrix).get('fails')]).toEqual([7, 5])
  })

  it('is not misled by an object whose name looks like an outcome', () => {
    const matrix = createMatrix([])
    matrix.add(row(A, 'x","state":"loads', kernelOf(1), FAILS))
    expect([matrix.columns[0]?.name, matrix.outcomes[0]?.state]).toEqual(['x","state":"loads', 'fails'])
  })

  it('is told in a sentence', () => {
    expect(sentenceOf(filled())).toBe('1 of 2 objects fails somewhere on 3 kernels')
    const one = createMatrix([{ name: 'a.bpf.o', sha256: A }])
    one.add(row(A, 'a.bpf.o', kernelOf(1), LOADS))
    expect(sentenceOf(one)).toBe('a.bpf.o loads on 1 kernel')
    one.add(row(A, 'a.bpf.o', kernelOf(2), { ...LOADS, state: 'unknown_kernel' }))
    expect(sentenceOf(one)).toBe('a.bpf.o loads on 1 of 2 kernels')
    one.add(row(A, 'a.bpf.o', kernelOf(3), FAILS))
    expect(sentenceOf(one)).toBe('a.bpf.o fails on 1 of 3 kernels')
  })
})

describe('the rows of the table', () => {
  it('are groups of kernels with one outcome, the worst first, and kernels in the order of their numbers', () => {
    expect(groupByOutcome(filled()).map(({ kernels }) => kernels)).toEqual([[kernelOf(42)], [kernelOf(9), kernelOf(10)]])
  })

  it('have the kernels of a group below it where it is open', () => {
    const items = listItems(filled(), { ...ALL, open: new Set([kernelOf(10)]) })
    expect(items.map(item => item.type === 'group' ? item.group.kernels.length : `${item.kernel} ${item.position}/${item.of}`))
      .toEqual([1, 2, `${kernelOf(9)} 1/2`, `${kernelOf(10)} 2/2`])
  })

  it('stay open while rows come that make other groups of their kernels, and close again', () => {
    const matrix = createMatrix([{ name: 'a.bpf.o', sha256: A }, { name: 'b.bpf.o', sha256: B }])
    const openGroups = (open: ReadonlySet<string>) =>
      listItems(matrix, { ...ALL, open }).flatMap(item => item.type === 'group' && item.isOpen ? [item.group.kernels] : [])
    for (const patch of [9, 10]) matrix.add(row(A, 'a.bpf.o', kernelOf(patch), LOADS))
    const [first] = groupByOutcome(matrix)
    if (first === undefined) throw new Error('there is no group')
    const open = toggleGroup(matrix, ALL, first)
    expect(openGroups(open)).toEqual([[kernelOf(9), kernelOf(10)]])
    matrix.add(row(B, 'b.bpf.o', kernelOf(9), FAILS))
    expect(openGroups(open)).toEqual([[kernelOf(9)]])
    matrix.add(row(B, 'b.bpf.o', kernelOf(10), FAILS))
    expect(openGroups(open)).toEqual([[kernelOf(9), kernelOf(10)]])
    const [last] = groupByOutcome(matrix)
    if (last === undefined) throw new Error('there is no group')
    expect(openGroups(toggleGroup(matrix, { ...ALL, open: new Set([kernelOf(10), 'other']) }, last))).toEqual([])
  })

  it('are kernels without groups, and only those that have a state and a text', () => {
    const kernels = (wanted: Partial<RowChoice>) => listItems(filled(), { ...ALL, grouping: 'kernel', ...wanted })
      .map(item => item.type === 'kernel' ? item.kernel : 'a group')
    expect(kernels({})).toEqual([kernelOf(9), kernelOf(10), kernelOf(42)])
    expect(kernels({ states: new Set(['fails']) })).toEqual([kernelOf(42)])
    expect(kernels({ text: 'UBUNTU -10-' })).toEqual([kernelOf(10)])
    expect(kernels({ text: 'debian' })).toEqual([])
  })

  it('put kernels together that could not be checked, each with a reason of its own', () => {
    const matrix = filled()
    for (const patch of [43, 44]) {
      for (const [object, name] of [[A, 'a.bpf.o'], [B, 'b.bpf.o']] as const) {
        matrix.add(row(object, name, kernelOf(patch), { ...LOADS, state: 'error', reason: `${kernelOf(patch)} is broken.` }))
      }
    }
    const items = listItems(matrix, { ...ALL, open: new Set([kernelOf(44)]) })
    const [error, ...kernels] = items.slice(1, 4)
    expect(error?.type === 'group' ? error.group.kernels : error).toEqual([kernelOf(43), kernelOf(44)])
    expect(kernels.map(item => item.type === 'kernel' ? matrix.outcomes[item.cells[0] ?? -1]?.reason : item))
      .toEqual([`${kernelOf(43)} is broken.`, `${kernelOf(44)} is broken.`])
  })

  it('leave out objects without the states that are wanted, which then tell no kernels apart', () => {
    const matrix = filled()
    matrix.add(row(A, 'a.bpf.o', kernelOf(43), { ...LOADS, state: 'unknown' }))
    matrix.add(row(B, 'b.bpf.o', kernelOf(43), FAILS))
    const wanted: RowChoice = { ...ALL, states: new Set(['fails']), open: new Set([kernelOf(43)]) }
    expect([listColumns(matrix, ALL), listColumns(matrix, wanted)]).toEqual([[0, 1], [1]])
    expect(groupByOutcome(matrix).map(({ kernels }) => kernels.length)).toEqual([1, 1, 2])
    const [group, ...kernels] = listItems(matrix, wanted)
    expect(kernels.map(item => item.type === 'kernel' ? item.kernel : 'a group')).toEqual([kernelOf(42), kernelOf(43)])
    if (group?.type !== 'group') throw new Error('there is no group')
    expect(toggleGroup(matrix, wanted, group.group).size).toBe(0)
  })

  it('say which kernels a group has in a few words', () => {
    expect(describeKernels([kernelOf(9)])).toBe('ubuntu 20.04 x86_64 5.4.0-9-generic')
    expect(describeKernels([kernelOf(9), kernelOf(10)])).toBe('ubuntu 20.04 x86_64 · 5.4.0-9-generic to 5.4.0-10-generic')
    expect(describeKernels(['debian/12/arm64/6.1.0-1', kernelOf(9), kernelOf(10), 'fedora/40/x86_64/6.8', 'rhel/9/x86_64/5.14']))
      .toBe('ubuntu 20.04 x86_64 (2), debian 12 arm64 (1), fedora 40 x86_64 (1) and 1 more')
  })
})
