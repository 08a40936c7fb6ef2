import { once } from 'node:events'
import { openSync, closeSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { removeFoldersAfterEach, temporaryFolder } from '../cli/corelo.js'
import { btf } from '../support/btf-builder.js'
import { targetFoo } from '../support/corpus.js'
import { runs } from '../support/property-runs.js'
import { metricOf, spawnForTest, startProcess, type ServiceProcess } from '../support/service.js'
import { tarXzOf } from '../support/xz-writer.js'

removeFoldersAfterEach()

/** Twice as many as files may be open. A kernel of Ubuntu has 6,000: CORELO_RUNS=8. */
const MODULES = runs(800).numRuns

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

const statusOf = async ({ url }: ServiceProcess, path: string): Promise<number> =>
  await fetch(`${url}${path}`).then(({ status }) => status, () => 0)
const hasEnded = ({ child }: ServiceProcess): boolean => child.exitCode !== null || child.signalCode !== null

describe('a log that cannot be written', () => {
  it('on a full disk costs its lines and nothing else', async () => {
    const full = openSync('/dev/full', 'w')
    const service = await startProcess({ CORELO_PORT: String(await freePort()) }, { stdout: full })
    closeSync(full)
    for (let i = 0; i < 20; i++) expect(await statusOf(service, '/kernels')).toBe(200)
    await expect.poll(() => metricOf(service, 'corelo_log_lines_lost_total')).toBeGreaterThan(0)
    expect(await service.stop()).toBe(0)
  })

  it('because its reader has gone costs its lines and nothing else', async () => {
    const service = await spawnForTest({ CORELO_PORT: String(await freePort()) })
    service.child.stdout?.destroy()
    await service.ready()
    await expect.poll(() => metricOf(service, 'corelo_log_lines_lost_total')).toBeGreaterThan(0)
    expect(await statusOf(service, '/kernels')).toBe(200)
    expect(await service.stop()).toBe(0)
  })
})

describe('a cache folder that cannot be made', () => {
  it.each([
    ['below a file', () => { const path = join(temporaryFolder(), 'file'); writeFileSync(path, ''); return path }],
    ['where the system makes none', () => '/proc/corelo']
  ])('%s ends the start with a sentence', async (_where, folder) => {
    const service = await spawnForTest({ CORELO_CACHE_DIR: folder() }, { stderr: 'pipe' })
    expect(await service.exited).toBeGreaterThan(0)
    expect(service.output()).toMatch(/The cache folder .+ cannot be made .*CORELO_CACHE_DIR/)
  })
})

describe('a process that may open few files', () => {
  it('goes on while more connections than that are opened', async () => {
    const service = await startProcess({}, { openFiles: 600 })
    const sockets = Array.from({ length: 900 }, () => connect(Number(new URL(service.url).port), '127.0.0.1').on('error', () => {}))
    await Promise.all(sockets.map(async socket => { await Promise.race([once(socket, 'connect'), once(socket, 'close')]) }))
    await new Promise(resolve => setTimeout(resolve, 1500)) // what ended the process was a timer of one second
    expect(hasEnded(service)).toBe(false)
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => statusOf(service, '/kernels')).toBe(200)
  })

  it('stores an archive of many more modules than that', async () => {
    const service = await startProcess({ CORELO_DEADLINE_MS: '240000', CORELO_MAX_BTF_BYTES: String(1 << 28) }, { openFiles: 400 })
    const base = targetFoo()
    const modules = Array.from({ length: MODULES }, (_, i) => {
      const module = btf({ base })
      module.struct(`in_module_${i}`, 4, [])
      return { name: `module_${i}`, bytes: module.bytes() }
    })
    const archive = await tarXzOf({ name: 'vmlinux', bytes: base.bytes() }, ...modules)
    const kernel = `${service.url}/kernels/fedora/42/x86_64/6.14.0-63.fc42.x86_64/btf`
    const put = await fetch(kernel, { method: 'PUT', body: Buffer.from(archive), headers: { 'content-type': 'application/octet-stream' } })
    expect([put.status, await put.text()]).toMatchObject([201, expect.stringContaining(`"module_${MODULES - 1}"`)])
    const last = modules.at(-1)
    expect(Buffer.from(await (await fetch(`${kernel}/${last?.name}`)).arrayBuffer())).toEqual(Buffer.from(last?.bytes ?? []))
    expect(hasEnded(service)).toBe(false)
  })
})
