import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { ATTACH, describeLab, NEEDS, runInGuest, scratchFolder } from '../support/lab.js'
import {
  EXEC, POISON_MESSAGE, readAttachResult, readSteps, relocateFor, stepScript, UNGUARDED, WRONG_LAYOUT, type StepResult
} from './relocated.js'

const GUESTS = [
  { series: '6.1', other: '6.12' },
  { series: '6.12', other: '6.1' }
] as const

for (const { series, other } of GUESTS) {
  const needs = [NEEDS.qemu, NEEDS.attach, NEEDS.guest(series), NEEDS.btf(`debian-${series}`), NEEDS.btf(`debian-${other}`)]
  describeLab(`a booted Linux ${series}, its BTF hidden,`, needs, () => {
    const folder = scratchFolder()
    let steps: Record<string, StepResult> = {}
    let transcript = ''
    const output = (step: string) => steps[step]?.output ?? `(no step ${step} in)\n${transcript}`

    // Everything in one boot.
    beforeAll(() => {
      const [layout, exec, unguarded] = relocateFor(`debian-${series}`, [WRONG_LAYOUT, EXEC, UNGUARDED], folder)
      const [wrong] = relocateFor(`debian-${other}`, [WRONG_LAYOUT], folder)
      const script = join(folder, 'test.sh')
      const load = (object: string) => `bpftool prog load /objects/${object} /sys/fs/bpf/${object.replaceAll('.', '_')}`
      writeFileSync(script, stepScript({
        release: 'uname -r; ls /sys/kernel/btf',
        'attach-original': 'attach /objects/original.o',
        'attach-relocated': 'attach /objects/relocated.o',
        'attach-wrong': 'attach /objects/wrong.o',
        'exec-original': load('exec-original.o'),
        'exec-relocated': load('exec-relocated.o'),
        unguarded: load('unguarded.o')
      }))
      const run = runInGuest(series, script, {
        '/bin/attach': ATTACH,
        '/objects/original.o': WRONG_LAYOUT,
        '/objects/relocated.o': layout?.path ?? '',
        '/objects/wrong.o': wrong?.path ?? '',
        '/objects/exec-original.o': EXEC,
        '/objects/exec-relocated.o': exec?.path ?? '',
        '/objects/unguarded.o': unguarded?.path ?? ''
      })
      transcript = run.output
      steps = readSteps(run.output)
    })

    it('is the kernel whose BTF was used, and shows none itself', () => {
      expect(output('release').trim().split('\n')).toEqual([expect.stringMatching(`^${series.replace('.', '\\.')}\\.`)])
    })

    it('refuses objects as they were compiled', () => {
      expect(steps['attach-original']?.status, output('attach-original')).toBe(1)
      expect(steps['exec-original']?.status, output('exec-original')).not.toBe(0)
      expect(output('exec-original')).toContain('failed to find valid kernel BTF')
    })

    it('loads them relocated, and they read what /proc says, all 31 values', () => {
      expect(readAttachResult(output('attach-relocated')), output('attach-relocated')).toEqual({ agree: 31, differ: 0, differing: [] })
      expect(steps['attach-relocated']?.status).toBe(0)
      expect(steps['exec-relocated']?.status, output('exec-relocated')).toBe(0)
    })

    it(`loads what was relocated for Linux ${other} too, which then reads something else`, () => {
      expect(steps['attach-wrong']?.status, output('attach-wrong')).toBe(3)
      const result = readAttachResult(output('attach-wrong'))
      expect(result?.differing).not.toEqual([])
      expect((result?.agree ?? 0) + (result?.differ ?? 0)).toBe(31)
      console.log(`Linux ${series}, relocated for ${other}: ${result?.differ} values are wrong (${result?.differing.join(', ')})`)
    })

    it('refuses a program whose poisoned instruction is reached', () => {
      expect(steps['unguarded']?.status).not.toBe(0)
      expect(output('unguarded')).toContain(POISON_MESSAGE)
    })
  })
}
