import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const MAIN = join(ROOT, 'dist/cli/main.js')
export const EXEC = join(ROOT, 'examples/exec.bpf.o')
export const UNGUARDED = join(ROOT, 'examples/unguarded.bpf.o')
export const SAMPLE = join(ROOT, 'examples/kernels/sample.btf')

export interface Run {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs the built command as a shell would. */
export function corelo (args: readonly string[], options: { input?: Uint8Array, env?: Record<string, string>, cwd?: string } = {}): Run {
  if (!existsSync(MAIN)) throw new Error('dist/ is missing; run "npm run build" first ("npm test" does).')
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [MAIN, ...args], {
    input: options.input ?? new Uint8Array(),
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, CORELO_BTFHUB_URL: '', ...options.env },
    cwd: options.cwd ?? ROOT,
    maxBuffer: 64 * 1024 * 1024
  })
  if (error !== undefined) throw error
  return { code: status, stdout, stderr: stderr.toString() }
}

/** The same while this process goes on, for commands that talk to a server of the test. */
export async function coreloBeside (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<{ readonly code: number | null, readonly stdout: string, readonly stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, CORELO_BTFHUB_URL: '', ...env } })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: typeof code === 'number' ? code : null, stdout, stderr }
}

/** A folder that is removed after the test. */
export function temporaryFolder (): string {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-cli-'))
  folders.push(folder)
  return folder
}

const folders: string[] = []

/** To be called once in a file that uses `temporaryFolder`. */
export function removeFoldersAfterEach (): void {
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })
}
