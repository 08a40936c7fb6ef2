import { fork, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { COMPILE_LATER } from './compile-later.js'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The built command. */
export const MAIN = join(ROOT, 'dist/bundle/main.js')

/** How a command is started. */
export interface Start {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
}

export interface Run {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs the built command in a process of its own. */
export async function runAlone ({ args, env, cwd }: Start, input: Uint8Array = new Uint8Array()): Promise<Run> {
  expectBuild()
  const child = spawn(process.execPath, [...COMPILE_LATER, MAIN, ...args], { cwd, env, stdio: 'pipe' })
  child.stdin.on('error', () => {}) // a command need not read what it is given
  child.stdin.end(input)
  const [stdout, stderr, [code]] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: typeof code === 'number' ? code : null, stdout, stderr }
}

/** Runs the built command, without input, in a process that has run others before. */
export async function runWarm (start: Start): Promise<Run> {
  expectBuild()
  return await warm.run(start)
}

/** Processes that have the modules of one program loaded, and run it for one command after the other. */
export interface WarmProcesses {
  /** Rejects, with what was printed, where the process does not start, or ends before the command does. */
  run (start: Start): Promise<Run>
}

export interface WarmOptions {
  /** A program: a module that has run when it is loaded. */
  readonly main: string
  /** The Node that runs it. */
  readonly execPath?: string
  /**
   * A command that takes so many milliseconds hangs, and its process is killed. Less than a test may take, so that it is told what was
   * printed.
   */
  readonly limitMs?: number
}

/** They end with the thread that started them. */
export function createWarmProcesses (options: WarmOptions): WarmProcesses {
  let idle: WarmProcess[] = []
  return {
    async run (start) {
      idle = idle.filter(process => process.isAlive())
      const warm = idle.pop() ?? startWarmProcess(options)
      const run = await warm.run(start)
      idle.push(warm)
      return run
    }
  }
}

/** Something else may hold the outputs of a process that has ended. */
const REST_MS = 5_000

interface WarmProcess extends WarmProcesses {
  isAlive (): boolean
}

function startWarmProcess ({ main, execPath = process.execPath, limitMs = 100_000 }: WarmOptions): WarmProcess {
  const child = fork(
    join(import.meta.dirname, 'warm-process.mjs'), [main],
    { execPath, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [...COMPILE_LATER] }
  )
  child.unref()
  child.channel?.unref()
  for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref()
  /** Rejects when the process is no more, and never resolves. */
  const ended = new Promise<never>((_resolve, reject) => {
    child.on('error', reject) // it could not be started, or sent to
    child.on('exit', (code, signal) => {
      const fail = (): void => { reject(new Error(`the command ended its process (${signal ?? code})`)) }
      const timer = setTimeout(fail, REST_MS)
      child.on('close', () => {
        clearTimeout(timer)
        fail()
      })
    })
  })
  ended.catch(() => {}) // what waits for a command gets it
  return {
    isAlive: () => child.exitCode === null && child.signalCode === null,
    async run (start) {
      const mark = randomUUID()
      const outputs = [child.stdout, child.stderr].map(stream => readUntil(stream, mark))
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
      child.send({ ...start, mark })
      try {
        const [stdout, stderr] = await Promise.race([Promise.all(outputs.map(({ marked }) => marked)), ended])
        if (stdout === undefined || stderr === undefined) throw new Error('a command has two outputs')
        return { code: Number(stdout.rest), stdout: stdout.before, stderr: stderr.before.toString() }
      } catch (error) {
        const printed = outputs.map(output => output.read()).join('')
        throw new Error(`${start.args.join(' ')}: ${error instanceof Error ? error.message : String(error)}\n${printed}`, { cause: error })
      } finally {
        clearTimeout(timer)
        for (const output of outputs) output.stop()
      }
    }
  }
}

interface MarkedOutput {
  /** What comes before the mark, and the line that follows it. */
  readonly marked: Promise<{ readonly before: Buffer, readonly rest: string }>
  /** What has come so far. */
  read (): string
  stop (): void
}

function readUntil (stream: Readable | null, mark: string): MarkedOutput {
  let all = Buffer.alloc(0)
  let onData = (_chunk: Buffer): void => {}
  const marked = new Promise<Awaited<MarkedOutput['marked']>>(resolve => {
    onData = chunk => {
      all = Buffer.concat([all, chunk])
      const at = all.indexOf(mark)
      if (at >= 0 && all.at(-1) === NEWLINE) resolve({ before: all.subarray(0, at), rest: all.toString('latin1', at + mark.length) })
    }
  })
  stream?.on('data', onData)
  return { marked, read: () => all.toString(), stop () { stream?.off('data', onData) } }
}

const NEWLINE = 0x0a

const warm = createWarmProcesses({ main: MAIN })

function expectBuild (): void {
  if (!existsSync(MAIN)) throw new Error('dist/ is missing; run "npm run build" first ("npm test" does).')
}
