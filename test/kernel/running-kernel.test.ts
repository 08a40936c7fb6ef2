import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseObject } from '../../src/core/index.js'
import { ATTACH, describeLab, labBtfs, labObjects, NEEDS, otherObjects, runHere, scratchFolder, type LabFile } from '../support/lab.js'
import {
  EXEC, POISON_MESSAGE, readAttachResult, readSteps, relocateFor, stepScript, UNGUARDED, WRONG_LAYOUT, type StepResult
} from './relocated.js'

/** Programs of one package mostly hold the same objects, and some are libbpf-tools'. */
function withoutCopies (objects: readonly LabFile[], others: readonly LabFile[]): LabFile[] {
  const seen = new Set(others.map(({ path }) => readFileSync(path, 'base64')))
  return objects.filter(({ path }) => seen.size < seen.add(readFileSync(path, 'base64')).size)
}

/** Loads all programs of each object with bpftool. They are pinned in a file system that is gone afterwards. */
function loadAll (objects: readonly LabFile[], options: { readonly kernelBtf?: boolean } = {}): Record<string, StepResult> {
  const script = (path: string) => `mkdir $BPFFS/all; bpftool prog loadall ${path} $BPFFS/all; status=$?; rm -r $BPFFS/all; exit $status`
  const { output, status } = runHere(stepScript(Object.fromEntries(objects.map(({ name, path }) => [name, script(path)]))), options)
  expect(status, output).toBe(0)
  return readSteps(output)
}

describeLab('the running kernel, its BTF hidden,', [NEEDS.kernel, NEEDS.bpftool, NEEDS.btf('running')], () => {
  const folder = scratchFolder()

  it('refuses an object as it was compiled, and loads it relocated', () => {
    const [exec] = relocateFor('running', [EXEC], folder)
    const steps = loadAll([{ name: 'original', path: EXEC }, { name: 'relocated', path: exec?.path ?? '' }])
    expect(steps['original']?.status).not.toBe(0)
    expect(steps['original']?.output).toContain('failed to find valid kernel BTF')
    expect(steps['relocated']?.status, steps['relocated']?.output).toBe(0)
  })

  it('refuses a program whose poisoned instruction is reached, and loads the one that asks first', () => {
    const [exec, unguarded] = relocateFor('running', [EXEC, UNGUARDED], folder)
    expect(exec?.report.counts.poisoned).toBe(1)
    expect(unguarded?.report.counts.poisoned).toBe(1)
    const steps = loadAll([{ name: 'guarded', path: exec?.path ?? '' }, { name: 'unguarded', path: unguarded?.path ?? '' }])
    expect(steps['guarded']?.status, steps['guarded']?.output).toBe(0)
    expect(steps['unguarded']?.status).not.toBe(0)
    expect(steps['unguarded']?.output).toContain(POISON_MESSAGE)
  })

  it.runIf(NEEDS.objects.isHere()).each([
    ['libbpf-tools', () => labObjects().filter(({ path }) => path.includes('/objects/')), 10],
    ['other projects', () => withoutCopies(otherObjects(), labObjects()), 3]
  ] as const)('loads the relocated objects of %s of which the report says that they load without BTF, and no others', (
    project, find, atLeast
  ) => {
    const objects = find()
    const relocated = relocateFor('running', objects.map(({ path }) => path), folder)
    const seen = loadAll(objects, { kernelBtf: true })
    const original = loadAll(objects)
    const ours = loadAll(objects.map(({ name }, i) => ({ name, path: relocated[i]?.path ?? '' })))

    let loaded = 0
    let refused = 0
    objects.forEach(({ name, path }, i) => {
      if (seen[name]?.status !== 0) return // wants something else that is not here, such as the size of a map
      if (parseObject(readFileSync(path)).ext?.coreRelo !== undefined) {
        expect(original[name]?.status, `${name} as it was compiled`).not.toBe(0)
      }
      const report = relocated[i]?.report ?? expect.fail(`${name} has no report`)
      if (report.loads_without_kernel_btf) {
        expect(ours[name]?.status, `${name}: ${ours[name]?.output}`).toBe(0)
        loaded++
      } else {
        expect(ours[name]?.status, `${name}, of which the report says that it does not load without the kernel's BTF`).not.toBe(0)
        refused++
      }
    })
    expect(loaded).toBeGreaterThan(atLeast)
    console.log(
      `real objects of ${project} that the running kernel loads without its BTF, relocated: ${loaded}; that it refuses, as the report ` +
        `says: ${refused}`
    )
  })
})

describeLab('libbpf in the running kernel, with its BTF,', [NEEDS.kernel, NEEDS.bpftool, NEEDS.btf('running'), NEEDS.objects], () => {
  it('does not find what the report says that programs attach to and the kernel lacks; of objects that it loads nothing is said', () => {
    const objects = labObjects()
    const seen = loadAll(objects, { kernelBtf: true })
    const relocated = relocateFor('running', objects.map(({ path }) => path), scratchFolder())
    let missing = 0
    objects.forEach(({ name }, i) => {
      const told = relocated[i]?.report.warnings.find(({ code }) => code === 'attach_target_missing')?.message
      const { status, output = '' } = seen[name] ?? {}
      const [, target] = /failed to find kernel BTF type ID of '([^']+)'/.exec(output) ?? []
      if (target !== undefined) {
        missing++
        expect(told, name).toContain(target)
      }
      if (status === 0) expect(told, name).toBeUndefined()
    })
    expect(missing).toBeGreaterThan(1)
  })
})

describeLab('a program loaded into the running kernel, its BTF hidden,', [NEEDS.kernel, NEEDS.attach, NEEDS.btf('running')], () => {
  const folder = scratchFolder()
  const others = labBtfs().map(({ name }) => name).filter(name => name !== 'running')

  it('is refused as it was compiled', () => {
    expect(runHere(`${ATTACH} ${WRONG_LAYOUT}`)).toMatchObject({ status: 1, output: expect.stringContaining('Error loading vmlinux BTF') })
  })

  it('reads what /proc says, all 31 values, when it was relocated for that kernel', () => {
    const [object] = relocateFor('running', [WRONG_LAYOUT], folder)
    const { status, output } = runHere(`${ATTACH} ${object?.path}`)
    expect(readAttachResult(output), output).toEqual({ agree: 31, differ: 0, differing: [] })
    expect(status).toBe(0)
  })

  it.for(others)('loads, but reads something else, when it was relocated for %s', (kernel, { skip }) => {
    const [right, wrong] = ['running', kernel].flatMap(name => relocateFor(name, [WRONG_LAYOUT], folder))
    skip(readFileSync(wrong?.path ?? '').equals(readFileSync(right?.path ?? '')), 'the two kernels have the same layout')
    const { status, output } = runHere(`${ATTACH} ${wrong?.path}`)
    expect(status, output).toBe(3)
    const result = readAttachResult(output)
    expect(result?.differing).not.toEqual([])
    expect((result?.agree ?? 0) + (result?.differ ?? 0)).toBe(31)
    console.log(`relocated for ${kernel}: ${result?.differ} values are wrong (${result?.differing.join(', ')})`)
  })
})
