import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { MAIN } from '../cli/corelo.js'

/** A service in a process of its own, as people run it. */
export interface ServiceProcess {
  readonly url: string
  /** The value of a metric; 0 where it is not there. */
  metric (name: string): Promise<number>
  /** Most memory that was resident since the last call, in bytes. Linux only. */
  peakMemory (): number
  /** Ends it, and tells its exit code; null after a kill. */
  stop (signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<number | null>
}

export async function startProcess (settings: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'corelo-faults-'))
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    env: {
      PATH: process.env['PATH'], CORELO_PORT: '0', CORELO_CACHE_DIR: folder, CORELO_LOCAL_KERNEL: 'false', CORELO_WORKERS: '2', CORELO_BTFHUB_URL: '', CORELO_MAX_DELAY_MS: '0', ...settings
    },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const exited = new Promise<number | null>(resolve => { child.once('exit', resolve) })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true, force: true })
  })
  const url = await new Promise<string>((resolve, reject) => {
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
      if (address !== undefined) resolve(address)
    })
    child.once('exit', code => { reject(new Error(`the service exited with ${code}: ${output}`)) })
  })
  return {
    url,
    async stop (signal) {
      child.kill(signal)
      return await exited
    },
    async metric (name) {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(text.split('\n').find(line => line.startsWith(`${name} `))?.slice(name.length) ?? 0)
    },
    peakMemory () {
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024
      writeFileSync(`/proc/${child.pid}/clear_refs`, '5') // the peak counts from here
      return peak
    }
  }
}
