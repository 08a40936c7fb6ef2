import { fork, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The built command. */
export const MAIN = join(ROOT, 'dist/cli/main.js')

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
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env, stdio: 'pipe' })
  child.stdin.on('error', () => {}) // a command need not read what it is given
  child.stdin.end(input)
  const [stdout, stderr, [code]] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: typeof code === 'number' ? code : null, stdout, stderr }
}

/** Runs the built command, without input, in a process that has run others before. */
export async function runWarm (start: Start): Promise<Run> {
  const warm = idle.pop() ?? startWarmProcess()
  const mark = randomUUID()
  const outputs = Promise.all([untilMark(warm.stdout, mark), untilMark(warm.stderr, mark)])
  warm.send({ ...start, mark })
  const [stdout, stderr] = await outputs
  const code = Number(stdout.rest)
  idle.push(warm)
  return { code, stdout: stdout.before, stderr: stderr.before.toString() }
}

/** Processes that wait for a command. They end with the thread that started them. */
const idle: ChildProcess[] = []

function startWarmProcess (): ChildProcess {
  expectBuild()
  const child = fork(join(import.meta.dirname, 'warm-process.mjs'), [MAIN], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] })
  child.unref()
  child.channel?.unref()
  for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref()
  return child
}

/** What a stream gives before a mark, and the line that follows it. */
async function untilMark (stream: NodeJS.ReadableStream | null, mark: string): Promise<{ readonly before: Buffer, readonly rest: string }> {
  return await new Promise((resolve, reject) => {
    let all = Buffer.alloc(0)
    const read = (chunk: Buffer): void => {
      all = Buffer.concat([all, chunk])
      const at = all.indexOf(mark)
      if (at < 0 || all.at(-1) !== NEWLINE) return
      stream?.off('data', read).off('end', fail)
      resolve({ before: all.subarray(0, at), rest: all.toString('latin1', at + mark.length) })
    }
    const fail = (): void => { reject(new Error(`the command ended its process:\n${all.toString()}`)) }
    stream?.on('data', read).on('end', fail)
  })
}

const NEWLINE = 0x0a

function expectBuild (): void {
  if (!existsSync(MAIN)) throw new Error('dist/ is missing; run "npm run build" first ("npm test" does).')
}
