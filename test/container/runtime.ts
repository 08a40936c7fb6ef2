import { spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** What an image says about how it is run: DIR/image.json of scripts/build-image.sh. */
export interface Image {
  readonly rootfs: string
  readonly config: {
    readonly User: string
    readonly Env: readonly string[]
    readonly Cmd: readonly string[]
    readonly Entrypoint: readonly string[]
    readonly WorkingDir: string
    readonly Healthcheck: { readonly Test: readonly [kind: string, ...command: string[]] }
    readonly StopSignal: string
    readonly Volumes: Readonly<Record<string, object>> | null
  }
}

export interface RunOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  readonly capabilities?: readonly string[]
  readonly mounts?: ReadonlyArray<{ readonly source: string, readonly destination: string, readonly writable?: boolean }>
}

export interface Container {
  /** Runs a command in it, as the same user with the same rights. */
  exec (...command: string[]): { readonly status: number | null, readonly output: string }
  kill (signal: string): void
  readonly exited: Promise<number | null>
  output (): string
}

export function openImage (folder: string): Image {
  return { rootfs: join(folder, 'rootfs'), config: JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8')) as Image['config'] }
}

export async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => { server.close(resolve) })
  return port
}

export function temporaryFolder (owner = 0): string {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-container-'))
  chownSync(folder, owner, owner)
  onTestFinished(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}

/**
 * Runs an image as Kubernetes would run it with the chart's security context: nothing of its root can be written to, no capabilities,
 * none to be gained. It shares the network of the machine.
 */
export function run (image: Image, {
  args, env = {}, user = image.config.User, capabilities = [], mounts = []
}: RunOptions = {}): Container {
  const bundle = mkdtempSync(join(tmpdir(), 'corelo-bundle-'))
  const state = join(bundle, 'state')
  const [uid, gid] = user.split(':').map(Number)
  const command = [...image.config.Entrypoint, ...args ?? image.config.Cmd]
  writeFileSync(join(bundle, 'config.json'), JSON.stringify({
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid, gid },
      args: command,
      env: [...image.config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
      cwd: image.config.WorkingDir,
      capabilities: Object.fromEntries(['bounding', 'effective', 'permitted'].map(set => [set, capabilities])),
      noNewPrivileges: true
    },
    root: { path: image.rootfs, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'ro'] },
      { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=1777'] },
      ...mounts.map(({ source, destination, writable = false }) =>
        ({ destination, type: 'bind', source, options: ['rbind', writable ? 'rw' : 'ro'] }))
    ],
    linux: { namespaces: ['pid', 'ipc', 'uts', 'mount'].map(type => ({ type })) }
  }))
  const name = `corelo-${process.pid}-${bundle.slice(-6)}`
  const runtime = ['--root', state]
  const child = spawn('runc', [...runtime, 'run', '--bundle', bundle, name], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => { output += bytes.toString() })
  const exited = new Promise<number | null>(resolve => { child.once('exit', status => { resolve(status) }) })
  onTestFinished(async () => {
    if (child.exitCode === null) spawnSync('runc', [...runtime, 'kill', name, 'KILL'])
    await exited
    rmSync(bundle, { recursive: true, force: true })
  })
  return {
    exec (...command) {
      const { status, stdout, stderr } = spawnSync('runc', [...runtime, 'exec', name, ...command], { encoding: 'utf8' })
      return { status, output: stdout + stderr }
    },
    kill (signal) { spawnSync('runc', [...runtime, 'kill', name, signal]) },
    exited,
    output: () => output
  }
}
