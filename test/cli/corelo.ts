import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach } from 'vitest'
import { MAIN, ROOT, runAlone, runWarm, type Run } from '../support/command.js'

export { MAIN, ROOT }
export const EXEC = join(ROOT, 'examples/exec.bpf.o')
export const UNGUARDED = join(ROOT, 'examples/unguarded.bpf.o')
/** Of many programs, of which some ask for the kernel's version. */
export const GUARDS = join(ROOT, 'test/fixtures/verdict/guards.bpf.o')
export const SAMPLE = join(ROOT, 'examples/kernels/sample.btf')

/** What a run is given. */
export interface RunOptions {
  readonly input?: Uint8Array
  /** Added to the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Runs it in a process of its own, as a shell would. Undefined: where there is input. `serve` that goes on to run needs it. */
  readonly isAlone?: boolean
}

/**
 * Runs the built command to its end. Most of what a start costs is the loading of modules: therefore a process that has loaded them
 * runs one command after the other. Each has its own arguments, environment, working directory and output.
 */
export async function corelo (args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const env = { ...process.env, NO_COLOR: '1', CORELO_BTFHUB_URL: '', ...options.env }
  const start = { args, env: withoutColors(env), cwd: options.cwd ?? ROOT }
  const isAlone = options.isAlone ?? options.input !== undefined
  return isAlone ? await runAlone(start, options.input) : await runWarm(start)
}

/** The same with its output as text. */
export async function coreloText (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<TextRun> {
  const run = await corelo(args, { env })
  return { ...run, stdout: run.stdout.toString() }
}

export interface TextRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function withoutColors ({ FORCE_COLOR: _, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv { return env }

/** A folder that is removed after the test. */
export function temporaryFolder (): string {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-cli-'))
  folders.push(folder)
  return folder
}

const folders: string[] = []

/**
 * To be called once in a file that uses `temporaryFolder`. What a test asks for when it is finished is done in reverse order, so that
 * services that it started have ended by then: one that runs makes files in a folder while that is removed.
 */
export function removeFoldersAfterEach (): void {
  beforeEach(({ onTestFinished }) => {
    onTestFinished(() => {
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
    })
  })
}
