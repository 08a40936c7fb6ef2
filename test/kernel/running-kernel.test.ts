import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { parseObject, relocate, parseBtf } from '../../src/core/index.js'
import { ATTACH, describeLab, labBtf, labBtfs, labObjects, NEEDS, runHidden, scratchFolder } from '../support/lab.js'
import { EXEC, POISON_MESSAGE, readAttachResult, readSteps, relocateFor, stepScript, UNGUARDED, WRONG_LAYOUT, type StepResult } from './relocated.js'

describeLab('the running kernel, its BTF hidden,', [NEEDS.kernel, NEEDS.bpftool, NEEDS.btf('running')], () => {
  const folder = scratchFolder()

  /** Loads each object with bpftool; pinned in a file system that is gone afterwards. */
  const load = (objects: Readonly<Record<string, string>>): Record<string, StepResult> => {
    const { output, status } = runHidden(stepScript(Object.fromEntries(Object.entries(objects).map(([name, path]) => [name, `bpftool prog load ${path} $BPFFS/${name}`]))))
    expect(status, output).toBe(0)
    return readSteps(output)
  }

  it('refuses an object as it was compiled, and loads it relocated', () => {
    const [exec] = relocateFor('running', [EXEC], folder)
    const steps = load({ original: EXEC, relocated: exec?.path ?? '' })
    expect(steps['original']?.status).not.toBe(0)
    expect(steps['original']?.output).toContain('failed to find valid kernel BTF')
    expect(steps['relocated'], steps['relocated']?.output).toMatchObject({ status: 0 })
  })

  it('refuses a program whose poisoned instruction is reached, and loads the one that asks first', () => {
    const [exec, unguarded] = relocateFor('running', [EXEC, UNGUARDED], folder)
    expect(exec?.report.counts.poisoned).toBe(1)
    expect(unguarded?.report.counts.poisoned).toBe(1)
    const steps = load({ guarded: exec?.path ?? '', unguarded: unguarded?.path ?? '' })
    expect(steps['guarded'], steps['guarded']?.output).toMatchObject({ status: 0 })
    expect(steps['unguarded']?.status).not.toBe(0)
    expect(steps['unguarded']?.output).toContain(POISON_MESSAGE)
  })

  it('loads every real object relocated that it loads with its BTF, unless the report says what else it needs BTF for', () => {
    const objects = labObjects().filter(({ path }) => path.includes('/objects/'))
    const relocated = relocateFor('running', objects.map(({ path }) => path), folder)
    const script = (path: string) => `mkdir $BPFFS/all && bpftool prog loadall ${path} $BPFFS/all; status=$?; rm -r $BPFFS/all; exit $status`
    const { output } = runHidden(stepScript({
      ...Object.fromEntries(objects.map(({ name, path }) => [`original.${name}`, script(path)])),
      ...Object.fromEntries(relocated.map(({ path }) => [basename(path), script(path)])),
      // From here on the kernel's BTF is to be seen again.
      visible: 'true',
      unhide: 'true'
    }).replace('STEP unhide', 'STEP unhide"; umount /sys/kernel/btf; echo "') + stepScript(Object.fromEntries(objects.map(({ name, path }) => [`visible.${name}`, script(path)]))))
    const steps = readSteps(output)

    let loaded = 0
    objects.forEach(({ name, path }, i) => {
      if (steps[`visible.${name}`]?.status !== 0) return // wants something else that is not here, such as a map's size
      const hasRelocations = parseObject(readFileSync(path)).ext?.coreRelo !== undefined
      if (hasRelocations) expect(steps[`original.${name}`]?.status, `${name}, not relocated, without BTF`).not.toBe(0)
      if (relocated[i]?.report.programs.some(program => program.needs_kernel_btf !== null) === true) {
        expect(steps[`running.${name}`]?.status, `${name}, of which the report says that it needs the kernel's BTF`).not.toBe(0)
        return
      }
      expect(steps[`running.${name}`], `${name}: ${steps[`running.${name}`]?.output}`).toMatchObject({ status: 0 })
      loaded++
    })
    expect(loaded).toBeGreaterThan(10)
    console.log(`real objects that the running kernel loads without its BTF, relocated: ${loaded}`)
  })
})

describeLab('a program relocated for the running kernel and loaded without BTF', [NEEDS.kernel, NEEDS.attach, NEEDS.btf('running')], () => {
  const folder = scratchFolder()

  it('does not load as it was compiled', () => {
    expect(runHidden(`${ATTACH} ${WRONG_LAYOUT}`)).toMatchObject({ status: 1 })
  })

  it('reads what /proc says, all 31 values', () => {
    const [object] = relocateFor('running', [WRONG_LAYOUT], folder)
    const { status, output } = runHidden(`${ATTACH} ${object?.path}`)
    expect(readAttachResult(output), output).toEqual({ agree: 31, differ: 0, differing: [] })
    expect(status).toBe(0)
  })

  it.each(labBtfs().map(({ name }) => name).filter(name => name !== 'running'))('reads something else when relocated for %s', kernel => {
    const [object] = relocateFor(kernel, [WRONG_LAYOUT], folder)
    const { status, output } = runHidden(`${ATTACH} ${object?.path}`)
    console.log(kernel, status, JSON.stringify(readAttachResult(output)), status === 1 ? output.slice(-800) : '')
  })
})
void relocate; void parseBtf; void labBtf; void join
