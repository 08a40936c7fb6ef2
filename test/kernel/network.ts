import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'

/** The administrator's programs are not in every user's path. */
const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`

/** A machine with a network of its own, linked to the one of the service. */
export interface Machine {
  /** Where the service is from here. */
  readonly server: string
  /** Starts a shell script that ends in `exec`. It has mounts of its own, which are gone with it. */
  start (script: string, env?: Readonly<Record<string, string>>): Process
}

export interface Process {
  readonly child: ChildProcess
  /** What it has written to standard output and standard error so far. */
  output (): string
  /** Waits until its output matches. */
  until (pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<number | null>
  stop (): Promise<number | null>
  /** Runs a command among its mounts and in its network. */
  run (...command: string[]): { readonly status: number | null, readonly output: string }
}

export interface Network {
  readonly service: Machine
  readonly nodes: readonly Machine[]
  /** Stops all that was started and removes the namespaces. */
  remove (): Promise<void>
}

const PORT = 8080

/**
 * Network namespaces: one for a service, and some for nodes, each linked to the first by a pair of veth. They reach nothing else.
 * A namespace takes its links with it when it is removed.
 */
export async function createNetwork (nodes: number): Promise<Network> {
  const prefix = `corelo-${randomBytes(4).toString('hex')}`
  const names: string[] = []
  const processes: Process[] = []

  const add = (name: string): string => {
    ip('netns', 'add', name)
    names.push(name)
    ip('-n', name, 'link', 'set', 'lo', 'up')
    return name
  }
  const machine = (name: string, server: string): Machine => ({
    server,
    start (script, env = {}) {
      // `ip netns exec` brings mounts of its own with it, and does not fork.
      const process = watch(spawn(
        'ip', ['netns', 'exec', name, '/bin/sh', '-euc', script], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH, ...env } }
      ))
      processes.push(process)
      return process
    }
  })
  const remove = async (): Promise<void> => {
    for (const process of processes.splice(0).reverse()) await process.stop()
    for (const name of names.splice(0)) spawnSync('ip', ['netns', 'del', name], { env: { PATH } })
  }

  try {
    const hub = add(prefix)
    const machines = Array.from({ length: nodes }, (_, i) => {
      const name = add(`${prefix}-${i}`)
      ip('-n', hub, 'link', 'add', `node${i}`, 'type', 'veth', 'peer', 'name', 'service', 'netns', name)
      ip('-n', hub, 'addr', 'add', `10.77.${i}.1/30`, 'dev', `node${i}`)
      ip('-n', name, 'addr', 'add', `10.77.${i}.2/30`, 'dev', 'service')
      ip('-n', hub, 'link', 'set', `node${i}`, 'up')
      ip('-n', name, 'link', 'set', 'service', 'up')
      return machine(name, `http://10.77.${i}.1:${PORT}`)
    })
    return { service: machine(hub, `http://127.0.0.1:${PORT}`), nodes: machines, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

function ip (...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8', env: { PATH } })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

function watch (child: ChildProcess): Process {
  let text = ''
  const looks = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', chunk => {
      text += String(chunk)
      for (const look of [...looks]) look()
    })
  }
  let hasEnded = false
  const ended = new Promise<number | null>(resolve => {
    child.once('close', code => {
      hasEnded = true
      resolve(code)
      for (const look of [...looks]) look()
    })
  })
  return {
    child,
    output: () => text,
    until: async pattern => await new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(text)
        if (found === null && !hasEnded) return
        looks.delete(look)
        if (found === null) reject(new Error(`it ended before ${String(pattern)}:\n${text}`))
        else resolve(found)
      }
      looks.add(look)
      look()
    }),
    ended,
    async stop () {
      if (!hasEnded) child.kill('SIGTERM')
      return await ended
    },
    run (...command) {
      const { status, stdout, stderr, error } = spawnSync(
        'nsenter', ['--target', String(child.pid), '--mount', '--net', '--', ...command],
        { encoding: 'utf8', env: { PATH }, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }
      )
      if (error !== undefined) throw error
      return { status, output: stdout + stderr }
    }
  }
}
