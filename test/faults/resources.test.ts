import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MAIN, temporaryFolder } from '../cli/corelo.js'
import { btf } from '../support/btf-builder.js'
import { targetFoo } from '../support/corpus.js'
import { runs } from '../support/property-runs.js'
import { tarXzOf } from '../support/xz-writer.js'

/** A kernel of Ubuntu has 6,000: CORELO_RUNS=4. */
const MODULES = runs(1500).numRuns

/** A service whose standard output the test decides on. */
function start (settings: Readonly<Record<string, string>>, { output = 'pipe', files }: { output?: number | 'pipe', files?: number } = {}): ChildProcess {
  const command = `${files === undefined ? '' : `ulimit -n ${files}; `}exec "$0" "$@"`
  const child = spawn('/bin/sh', ['-c', command, process.execPath, MAIN, 'serve'], {
    env: {
      PATH: process.env['PATH'], CORELO_PORT: '0', CORELO_LOCAL_KERNEL: 'false', CORELO_WORKERS: '1', CORELO_BTFHUB_URL: '', CORELO_MAX_DELAY_MS: '0', CORELO_CACHE_DIR: temporaryFolder(), ...settings
    },
    stdio: ['ignore', output, 'pipe']
  })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

/** Any port that is free just now: a log that cannot be read does not say which one it is. */
async function freePort (): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

const statusOf = async (port: number, path: string): Promise<number> => await fetch(`http://127.0.0.1:${port}${path}`).then(({ status }) => status, () => 0)
const untilReady = async (port: number): Promise<void> => { await expect.poll(() => statusOf(port, '/readyz')).toBe(200) }
const metric = async (port: number, name: string): Promise<number> => {
  const lines = (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).split('\n')
  return Number(lines.find(line => line.startsWith(`${name} `))?.slice(name.length))
}

describe('a log that cannot be written', () => {
  it('on a full disk costs its lines and nothing else', async () => {
    const port = await freePort()
    const full = openSync('/dev/full', 'w')
    const child = start({ CORELO_PORT: String(port) }, { output: full })
    closeSync(full)
    await untilReady(port)
    for (let i = 0; i < 20; i++) expect(await statusOf(port, '/kernels')).toBe(200)
    await expect.poll(() => metric(port, 'corelo_log_lines_lost_total')).toBeGreaterThan(0)
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('because its reader has gone costs its lines and nothing else', async () => {
    const port = await freePort()
    const child = start({ CORELO_PORT: String(port) })
    child.stdout?.destroy()
    await untilReady(port)
    await expect.poll(() => metric(port, 'corelo_log_lines_lost_total')).toBeGreaterThan(0)
    expect(await statusOf(port, '/kernels')).toBe(200)
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('a cache folder that cannot be made', () => {
  it.each([
    ['below a file', () => { const path = join(temporaryFolder(), 'file'); writeFileSync(path, ''); return path }],
    ['where the system makes none', () => '/proc/corelo']
  ])('%s ends the start with a sentence', async (_where, folder) => {
    const child = start({ CORELO_CACHE_DIR: folder() })
    if (child.stderr === null) throw new Error('no standard error')
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]) as [string, [number | null]]
    expect(code).toBeGreaterThan(0)
    expect(said).toMatch(/The cache folder .+ cannot be made .*CORELO_CACHE_DIR/)
  })
})

describe('a process that may open few files', () => {
  it('goes on while more connections than that are opened', async () => {
    const port = await freePort()
    const child = start({ CORELO_PORT: String(port) }, { files: 600 })
    child.stdout?.resume()
    await untilReady(port)
    const sockets = Array.from({ length: 900 }, () => connect(port, '127.0.0.1').on('error', () => {}))
    await Promise.all(sockets.map(async socket => { await Promise.race([once(socket, 'connect'), once(socket, 'close')]) }))
    await new Promise(resolve => setTimeout(resolve, 1500)) // what ended the process was a timer of one second
    expect(child.exitCode).toBe(null)
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => statusOf(port, '/kernels')).toBe(200)
  })

  it('stores an archive of many more modules than that', async () => {
    const port = await freePort()
    const child = start({ CORELO_PORT: String(port), CORELO_DEADLINE_MS: '240000', CORELO_MAX_BTF_BYTES: String(1 << 28) }, { files: 200 })
    child.stdout?.resume()
    await untilReady(port)
    const base = targetFoo()
    const modules = Array.from({ length: MODULES }, (_, i) => {
      const module = btf({ base })
      module.struct(`in_module_${i}`, 4, [])
      return { name: `module_${i}`, bytes: module.bytes() }
    })
    const archive = await tarXzOf({ name: 'vmlinux', bytes: base.bytes() }, ...modules)
    const kernel = `http://127.0.0.1:${port}/kernels/fedora/42/x86_64/6.14.0-63.fc42.x86_64/btf`
    const put = await fetch(kernel, { method: 'PUT', body: Buffer.from(archive), headers: { 'content-type': 'application/octet-stream' } })
    expect([put.status, await put.text()]).toMatchObject([201, expect.stringContaining(`"module_${MODULES - 1}"`)])
    const last = modules.at(-1)
    expect(Buffer.from(await (await fetch(`${kernel}/${last?.name}`)).arrayBuffer())).toEqual(Buffer.from(last?.bytes ?? []))
    expect(child.exitCode).toBe(null)
  })
})
