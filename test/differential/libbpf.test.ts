import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseBtf, parseObject, type BpfObject } from '../../src/core/index.js'
import { AppError } from '../../src/errors.js'
import { describeRelocation } from '../../src/report/index.js'
import {
  askOracle, compareDumps, describeLab, labBtfs, labObjects, NEEDS, otherObjects, scratchFolder, type LabFile
} from '../support/lab.js'
import { relocate, type Relocation } from '../support/relocate.js'

/** Kernels without which the comparison says too little. The old ones are of an archive that is not everywhere. */
const KERNELS = [['running', /^running$/], ['Debian 6.1', /^debian-6\.1$/], ['Debian 6.12', /^debian-6\.12$/]] as const
const ARCHIVED = [['a 4.19', /4\.19/], ['Android 5.10', /^android-5\.10/]] as const

interface Relocated {
  readonly source: LabFile
  readonly object: BpfObject
  readonly relocation: Relocation | undefined
  readonly path: string
}

describeLab('an object relocated here and loaded without any BTF is, to libbpf,', [NEEDS.oracle, NEEDS.objects, NEEDS.others], () => {
  const folder = scratchFolder()
  const objects = [...labObjects(), ...otherObjects()]
  const btfs = labBtfs()
  const done = { pairs: 0, relocated: 0, refused: 0, instructions: 0, records: 0, poisoned: 0, absent: 0 }

  it.each(btfs.map(btf =>
    [btf.name, btf] as const))('what libbpf relocates itself, in every instruction of every program, for %s', async (_, btf) => {
    const target = parseBtf(readFileSync(btf.path))
    const ours = objects.map(source => relocateHere(source, target, join(folder, `${btf.name}.${source.name}`)))
    const answers = await askOracle([
      ...ours.map(({ source }) => ({ object: source.path, btf: btf.path })),
      ...ours.map(({ path, relocation, source }) => ({ object: relocation?.ok === true ? path : source.path }))
    ])

    const disagreements: string[] = []
    ours.forEach(({ source, object, relocation }, i) => {
      const disagree = (what: string) => { disagreements.push(`${source.name} for ${btf.name}: ${what}`) }
      const original = answers[i]
      const patched = answers[ours.length + i]
      if (original === undefined || patched === undefined) throw new Error('an answer is missing')
      done.pairs++
      if (!original.relocated || relocation?.ok !== true) {
        done.refused++
        if (original.relocated) disagree(`libbpf relocates it; ours says ${whyNot(relocation)}`)
        if (relocation?.ok === true) disagree(`libbpf refuses it (${original.stage}: ${original.error}); ours relocates it`)
        return
      }
      done.relocated++
      done.records += relocation.records.length
      done.poisoned += relocation.counts.poisoned
      done.absent += relocation.counts.absent
      done.instructions += original.programs.reduce((sum, { insns }) => sum + insns.length / 16, 0)
      if (!patched.relocated) return disagree(`libbpf does not take the relocated object: ${patched.stage}: ${patched.error}`)
      for (const difference of compareDumps(original, patched)) disagree(`libbpf has ${difference}`)
      if (patched.kernelBtf !== usesKsyms(object, relocation)) {
        disagree(patched.kernelBtf
          ? 'the relocated object still asks for kernel BTF'
          : 'the report names a need of kernel BTF that libbpf does not have')
      }
    })
    expect(disagreements).toEqual([])
  })

  it.for([...KERNELS, ...ARCHIVED])('also for the kernel that is %s', ([name, pattern], { skip }) => {
    const isArchived = ARCHIVED.some(([archived]) => archived === name)
    skip(isArchived && !NEEDS.archive.isHere(), `missing: ${NEEDS.archive.what}`)
    expect(btfs.map(btf => btf.name)).toContainEqual(expect.stringMatching(pattern))
  })

  it('in as many cases as there are objects and kernels', () => {
    expect(objects.length).toBeGreaterThanOrEqual(110)
    expect(done.pairs).toBe(objects.length * btfs.length)
    expect(done.relocated + done.refused).toBe(done.pairs)
    // Real objects relocate for real kernels; a comparison of refusals alone would show nothing.
    expect(done.relocated).toBeGreaterThan(0.9 * done.pairs)
    expect(done.instructions).toBeGreaterThan(100 * done.relocated)
    expect(done.records).toBeGreaterThan(5 * done.relocated)
    expect(done.poisoned).toBeGreaterThan(0)
    expect(done.absent).toBeGreaterThan(0)
    console.log(`compared with libbpf: ${JSON.stringify(done)}`)
  })
})

function relocateHere (source: LabFile, target: ReturnType<typeof parseBtf>, path: string): Relocated {
  const object = parseObject(readFileSync(source.path))
  let relocation: Relocation | undefined
  try {
    relocation = relocate(object, target)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
  }
  if (relocation?.bytes !== undefined) writeFileSync(path, relocation.bytes)
  return { source, object, relocation, path }
}

function whyNot (relocation: Relocation | undefined): string {
  return relocation?.records.find(({ status }) => status === 'failed')?.detail ?? 'that the object is invalid'
}

/** The one need of kernel BTF that libbpf itself sees to: the oracle takes the others away. */
function usesKsyms (object: BpfObject, relocation: Relocation): boolean {
  return describeRelocation(object, relocation).programs.some(({ needs_kernel_btf: need }) => need?.startsWith('uses ') === true)
}
