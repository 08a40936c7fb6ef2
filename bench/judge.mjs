import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseBtf, parseObject, relocate } from '../dist/core/index.js'
import { buildReport, judgeRelocation } from '../dist/report/index.js'
import { compileLater } from '../dist/workers/compile-later.js'
import { labBtfs, labObjects, otherObjects } from './lab.mjs'
import { loadBranchyObject } from './large-object.mjs'
import { median } from './statistics.mjs'

/**
 * Programs, instructions of each, and where the guard before the poison has its number: in a register, as most have, or on the stack,
 * where every way to the guard is followed. The first is of the size of a large tracer.
 */
const SIZES = [[35, 4000, 'register'], [35, 4000, 'stack'], [8, 4000, 'stack'], [100, 400, 'stack']]

/**
 * The verdict about objects with thousands of instructions before the poison, and the report: at first, in a process that has judged
 * nothing yet, and later.
 */
export async function benchJudge ({ runs }) {
  const [kernel] = labBtfs().filter(({ name }) => name === 'running').concat(labBtfs())
  if (kernel === undefined) return []
  const branchyObject = await loadBranchyObject()
  const folder = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  try {
    return SIZES.map(([programs, instructions, guard]) => {
      const path = join(folder, `${programs}-${instructions}-${guard}.bpf.o`)
      writeFileSync(path, branchyObject({ programs, instructions, guard }))
      const fresh = Array.from({ length: 3 }, () => timesInNewProcess(path, kernel.path, runs))
      return {
        programs,
        'instructions each': instructions,
        guard,
        'first verdict and report ms': median(fresh.map(([first]) => first)),
        'later ms': median(fresh.flatMap(([, ...later]) => later))
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** As commands and a service's first checks do, in which most of what V8 compiles pays off after their end. */
const COMPILE_LATER = 'compile later'

/**
 * The same about the largest real object: that of the lab, and another one where CORELO_BENCH_OBJECT is its path. With the verdicts,
 * to see where the steps do not suffice.
 */
export function benchLargest ({ runs }) {
  const [largest] = [...labObjects(), ...otherObjects()].map(({ path }) => path).sort((a, b) => statSync(b).size - statSync(a).size)
  const paths = [largest, process.env.CORELO_BENCH_OBJECT].filter(path => path !== undefined)
  return paths.flatMap(path => labBtfs().map(({ name, path: kernel }) => {
    const [first, ...later] = timesInNewProcess(path, kernel, runs)
    const ofCommand = Array.from({ length: 3 }, () => timesInNewProcess(path, kernel, 1, COMPILE_LATER))
    return {
      object: basename(path),
      MB: statSync(path).size / 1e6,
      kernel: name,
      'first ms': first,
      'first ms in a command or a check': median(ofCommand.flat()),
      'later ms': median(later),
      ...verdicts(path, kernel)
    }
  }))
}

function verdicts (path, kernel) {
  const object = parseObject(readFileSync(path))
  const { programs } = judgeRelocation(object, relocate(object, parseBtf(readFileSync(kernel))))
  const count = verdict => programs.filter(program => program.verdict === verdict).length
  return {
    loads: count('loads'),
    fails: count('fails'),
    unknown: count('unknown'),
    'for lack of steps': programs.filter(({ reason }) => reason?.endsWith('more paths than are looked at.')).length
  }
}

function timesInNewProcess (object, kernel, runs, ...how) {
  return JSON.parse(execFileSync(process.execPath, [import.meta.filename, object, kernel, String(runs), ...how]).toString())
}

function times (object, kernel, runs) {
  const bytes = readFileSync(object)
  const btf = parseBtf(readFileSync(kernel))
  return Array.from({ length: runs }, () => {
    const parsed = parseObject(bytes)
    const relocation = relocate(parsed, btf)
    const started = performance.now()
    buildReport(parsed, relocation, judgeRelocation(parsed, relocation)).json()
    return performance.now() - started
  })
}

if (process.argv[1] === import.meta.filename) {
  const [, , object = '', kernel = '', runs, how] = process.argv
  if (how === COMPILE_LATER) compileLater()
  console.log(JSON.stringify(times(object, kernel, Number(runs))))
}
