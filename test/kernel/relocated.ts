import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseBtf, parseObject } from '../../src/core/index.js'
import { describeRelocation, type RelocationReport } from '../../src/report/index.js'
import { labBtf, ROOT } from '../support/lab.js'
import { relocate } from '../support/relocate.js'

export const EXEC = join(ROOT, 'examples/exec.bpf.o')
export const UNGUARDED = join(ROOT, 'examples/unguarded.bpf.o')
export const WRONG_LAYOUT = join(ROOT, 'test/fixtures/wrong-layout/wrong-layout.bpf.o')

/** What the kernel's verifier says of a poisoned instruction that it can reach. */
export const POISON_MESSAGE = 'invalid func unknown#195896080'

export interface RelocatedFile {
  readonly path: string
  readonly report: RelocationReport
}

/** Relocates objects for a kernel of the lab, each into a file of its own in `folder`. */
export function relocateFor (kernel: string, objects: readonly string[], folder: string): RelocatedFile[] {
  const target = parseBtf(readFileSync(labBtf(kernel)))
  return objects.map(source => {
    const object = parseObject(readFileSync(source))
    const relocation = relocate(object, target)
    if (relocation.bytes === undefined) throw new Error(`${source} cannot be relocated for ${kernel}`)
    const path = join(folder, `${kernel}.${basename(source)}`)
    writeFileSync(path, relocation.bytes)
    return { path, report: describeRelocation(object, relocation) }
  })
}

/** What test/lab/attach.c found. */
export interface AttachResult {
  readonly agree: number
  readonly differ: number
  /** Names of the values that the program read differently from /proc. */
  readonly differing: readonly string[]
}

/** Reads attach's output, wherever in the text it is; undefined where it did not come to a result. */
export function readAttachResult (output: string): AttachResult | undefined {
  const summary = /^agree=(\d+) differ=(\d+)$/m.exec(output)
  if (summary === null) return undefined
  return {
    agree: Number(summary[1]),
    differ: Number(summary[2]),
    differing: [...output.matchAll(/^DIFFERS (\S+)$/gm)].flatMap(([, name]) => name ?? [])
  }
}

/** A script that runs commands one after the other and shows where each begins and how it ended. */
export function stepScript (steps: Readonly<Record<string, string>>): string {
  return Object
    .entries(steps)
    .map(([name, command]) => `echo; echo "STEP ${name}"; ( ${command} ) 2>&1; status=$?; echo; echo "STATUS $status"\n`)
    .join('')
}

export interface StepResult {
  readonly status: number
  readonly output: string
}

/** What stepScript's script printed, by step. */
export function readSteps (output: string): Record<string, StepResult> {
  return Object.fromEntries(output.split(/^STEP /m).slice(1).map(text => {
    const [, name, body, status] = /^(\S+)\n([\s\S]*?)^STATUS (\d+)$/m.exec(text) ?? []
    return [name ?? '', { status: Number(status ?? NaN), output: body ?? text }]
  }))
}
