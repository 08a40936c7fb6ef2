import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import type { Btf } from '../../../src/btf/btf.js'
import { parseBtf } from '../../../src/core/index.js'
import {
  describeLab, labBtf, labGuestRelease, labObjects, NEEDS, otherObjects, ROOT, runInGuest, scratchFolder, VERIFY
} from '../../support/lab.js'
import { askVerifier, compareVerdicts, judgeAll, readAnswers, tableRow, type Answer } from './compare.js'
import { randomPrograms, type Cpu } from './programs.js'

/** Programs of one file; the compiler is started once a file. */
const PER_FILE = 200

/** Random programs a run; `npm run test:verdict` asks for thousands. */
const RANDOM_PROGRAMS = Number(process.env['CORELO_VERDICT_PROGRAMS'] ?? 400)
const FIRST_SEED = Number(process.env['CORELO_VERDICT_SEED'] ?? 1)
const isLong = process.env['CORELO_VERDICT_PROGRAMS'] !== undefined

/**
 * Forms of guards by where they stand: in a function's own code, behind limits of a number, in what is called back, on other ways, in
 * what replaces another, behind what a helper brought, behind lookups in maps.
 */
const CORPUS = ['guards', 'bounds', 'callbacks', 'ways', 'replacing', 'filled', 'maps'].map(name =>
  join(ROOT, `test/differential/verdict/${name}.bpf.c`))
const REPLACING = join(ROOT, 'test/differential/verdict/replacing.bpf.c')
const AGES = join(ROOT, 'test/differential/verdict/ages.bpf.c')

interface Build {
  /** Debian's default clang, or a newer one for cpu v4. */
  readonly command: 'clang' | 'clang-19'
  readonly cpu: Cpu
  readonly level: 'O1' | 'O2' | 'Os'
}

const CPUS: ReadonlyArray<Pick<Build, 'command' | 'cpu'>> = [
  { command: 'clang', cpu: 'v1' }, { command: 'clang', cpu: 'v3' }, { command: 'clang-19', cpu: 'v4' },
  ...(isLong ? [{ command: 'clang', cpu: 'v2' }, { command: 'clang-19', cpu: 'v1' }, { command: 'clang-19', cpu: 'v3' }] as const : [])
]
const LEVELS = isLong ? ['O1', 'O2', 'Os'] as const : ['O1', 'O2'] as const
const BUILDS: readonly Build[] = [
  ...CPUS.flatMap(cpu => LEVELS.map(level => ({ ...cpu, level }))),
  ...(isLong ? [] : [{ command: 'clang', cpu: 'v2', level: 'Os' }] as const)
]

function compile (compiler: string, source: string, output: string, cpu: Cpu, level: string): string {
  const { status, stderr } = spawnSync(
    compiler, [`-${level}`, '-g', '-target', 'bpf', `-mcpu=${cpu}`, '-I/usr/include/x86_64-linux-gnu', '-c', source, '-o', output],
    { encoding: 'utf8' }
  )
  if (status !== 0) throw new Error(stderr)
  return output
}

function compileCorpus (folder: string): string[] {
  return CORPUS.flatMap(source => BUILDS.map(({ command, cpu, level }) =>
    compile(command, source, join(folder, `${basename(source, '.bpf.c')}.${command}.${level}.${cpu}.bpf.o`), cpu, level)))
}

const compileAges = (folder: string): string => compile('clang-19', AGES, join(folder, 'ages.bpf.o'), 'v3', 'O2')
const compileReplacing = (folder: string): string => compile('clang-19', REPLACING, join(folder, 'extensions.bpf.o'), 'v3', 'O2')

function compileRandom (folder: string, cpu: Cpu, count: number): string[] {
  return Array.from({ length: Math.ceil(count / PER_FILE) }, (_, i) => {
    const seed = FIRST_SEED + i
    const source = join(folder, `random${seed}.${cpu}.c`)
    writeFileSync(source, randomPrograms(seed, PER_FILE, cpu))
    return compile('clang-19', source, join(folder, `random${seed}.${cpu}.bpf.o`), cpu, 'O2')
  })
}

/** A distribution's, which brings new parts of the verifier to an old kernel: it may be that of any kernel here. */
const BACKPORTING = '4.18.0-553.el8_10.x86_64'

/**
 * Verdicts that do not know the kernel's release and that its verifier refutes. Where none is named, the newest verifier is meant, which
 * loads some that older ones refuse; what fails of random programs is refused by all.
 */
function refutedWithoutRelease (objects: readonly string[], target: Btf, answers: readonly Answer[], folder: string): readonly string[] {
  const ofAny = compareVerdicts(judgeAll(objects, target, BACKPORTING, folder), answers)
  const ofNone = compareVerdicts(judgeAll(objects, target, undefined, folder), answers)
  console.log(tableRow('the same, of a release that may have any verifier', ofAny))
  console.log(tableRow('the same, without a release', ofNone))
  return [...ofAny.wrong, ...ofNone.wrong.filter(text => text.includes(': fails ('))]
}

const needs = [NEEDS.verify, NEEDS.clang19, NEEDS.objects, NEEDS.others]

const realObjects = (): string[] => [...labObjects(), ...otherObjects()].map(({ path }) => path)

describeLab('the verdict, compared with the running kernel\'s verifier,', [...needs, NEEDS.kernel, NEEDS.btf('running')], () => {
  const sources = scratchFolder()
  const folder = scratchFolder()
  const target = () => parseBtf(readFileSync(labBtf('running')))
  const compare = (name: string, objects: readonly string[]) => {
    const judged = judgeAll(objects, target(), release(), folder)
    const answers = askVerifier(VERIFY, judged.paths)
    const comparison = compareVerdicts(judged, answers)
    console.log(tableRow(name, comparison))
    return { ...comparison, answers }
  }

  it('agrees about every form of guard and every real object', () => {
    const { wrong, unknown, counts } = compare('guards and real objects', [...compileCorpus(sources), ...realObjects()])
    expect(wrong).toEqual([])
    expect(counts['loads/ok']).toBeGreaterThan(100)
    expect(counts['fails/poison']).toBeGreaterThan(100)
    expect(unknown).toBeLessThan(0.02)
  })

  it('agrees about random programs', () => {
    const random = compileRandom(sources, 'v4', RANDOM_PROGRAMS)
    const { wrong, unknown, counts, answers } = compare('random programs', [compileAges(sources), ...random])
    expect(wrong).toEqual([])
    expect(refutedWithoutRelease(random, target(), answers, folder)).toEqual([])
    expect(counts['fails/poison']).toBeGreaterThan(RANDOM_PROGRAMS / 10)
    expect(unknown).toBeLessThan(0.1)
  })
})

/** The oldest is compared as long as apt's mirror has it: test/lab/prepare.sh says where it does not. */
const GUESTS = [...(NEEDS.guest('5.10').isHere() ? ['5.10'] : []), '6.1', '6.12']

for (const series of GUESTS) {
  describeLab(`the verdict, compared with the verifier of a booted Linux ${series},`, [
    ...needs, NEEDS.qemu, NEEDS.guest(series), NEEDS.btf(`debian-${series}`)
  ], () => {
    const sources = scratchFolder()
    const folder = scratchFolder()
    let count = 0
    const target = () => parseBtf(readFileSync(labBtf(`debian-${series}`)))
    const compare = (name: string, objects: readonly string[]) => {
      const judged = judgeAll(objects, target(), labGuestRelease(series), folder)
      const script = join(sources, `test${count++}.sh`)
      writeFileSync(script, `( ${judged.paths.map(path => `echo ${path}`).join('; ')} ) | verify\n`)
      const { output } = runInGuest(
        series, script, { '/bin/verify': VERIFY, ...Object.fromEntries(judged.paths.map(path => [path, path])) }, { kernelBtf: true }
      )
      const answers = readAnswers(output)
      expect(answers.length, output.slice(-2000)).toBeGreaterThan(judged.paths.length)
      const comparison = compareVerdicts(judged, answers)
      console.log(tableRow(`Linux ${labGuestRelease(series)}, ${name}`, comparison))
      return { ...comparison, answers }
    }

    it.runIf(isLong)('agrees about guards and real objects', () => {
      const { wrong, unknown } = compare('guards and real objects', [...compileCorpus(sources), ...realObjects()])
      expect(wrong).toEqual([])
      expect(unknown).toBeLessThan(0.02)
    })

    it('agrees about random programs, extensions and what its age can do', () => {
      const extensions = compileReplacing(sources)
      const random = compileRandom(sources, 'v3', Math.min(RANDOM_PROGRAMS, 2000))
      const { wrong, unknown, answers } = compare('random programs', [compileAges(sources), extensions, ...random])
      expect(wrong).toEqual([])
      expect(refutedWithoutRelease(random, target(), answers, folder)).toEqual([])
      expect(unknown).toBeLessThan(0.1)
      // Not every running kernel lets anybody load extensions: here their verdicts are compared.
      const seen = answers.filter(({ object, section }) => object.endsWith(basename(extensions)) && section.startsWith('freplace/'))
      expect(seen.map(({ result }) => result)).toContain('poison')
      expect(seen.map(({ result }) => result)).toContain('ok')
      expect(seen.map(({ result }) => result)).not.toContain('none')
    })
  })
}
