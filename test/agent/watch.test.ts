import { createHash } from 'node:crypto'
import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseBtf } from '../../src/index.js'
import { EXEC, ROOT, SAMPLE, UNGUARDED } from '../cli/corelo.js'
import {
  cleanUpAfterAll, createNode, runOnce, startAgent, startProxy, startService, temporaryFolder, type LogLine, type Service
} from './support.js'
import { relocate } from '../support/relocate.js'

const CONNECT = join(ROOT, 'examples/connect.bpf.o')

const cleanup = cleanUpAfterAll()
const isPut = (object: string) => (line: LogLine): boolean => line.object === object && line.msg === 'relocated, verified and put in place'
const relocated = (object: string): Buffer => Buffer.from(relocate(readFileSync(object), parseBtf(readFileSync(SAMPLE))).bytes ?? [])

describe('corelo agent, watching', () => {
  let service: Service
  beforeAll(async () => { service = await startService(cleanup) })

  it('settles what is there, is ready then, and ends with 0 on SIGTERM', async () => {
    const node = createNode(cleanup)
    const agent = await startAgent(cleanup, node, service.url)
    await agent.line(isPut('exec'))
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
    expect(await agent.ready()).toEqual({ status: 200, body: { status: 'ready' } })
    expect((await fetch(`${agent.url}/livez`)).status).toBe(200)
    expect((await fetch(`${agent.url}/nothing`)).status).toBe(404)
    expect((await fetch(`${agent.url}/livez`, { method: 'POST' })).status).toBe(405)
    expect(await agent.metric('corelo_agent_objects{shown="current"}')).toBe(1)
    expect(await agent.metric('corelo_agent_service_up')).toBe(1)
    expect(await agent.stop()).toBe(0)
  })

  it('takes a new object, a changed one, and takes away the result of one that is gone', async () => {
    const node = createNode(cleanup)
    const agent = await startAgent(cleanup, node, service.url)
    await agent.line(isPut('exec'))
    cpSync(CONNECT, join(node.objects, 'more.bpf.o'))
    await agent.line(isPut('more'))
    expect(readFileSync(join(node.out, 'more.bpf.o'))).toEqual(relocated(CONNECT))
    agent.lines.length = 0
    const fresh = join(node.objects, '.exec.new')
    writeFileSync(fresh, readFileSync(CONNECT))
    renameSync(fresh, join(node.objects, 'exec.bpf.o'))
    await agent.line(isPut('exec'))
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(CONNECT))
    rmSync(join(node.objects, 'more.bpf.o'))
    await agent.line(({ object, msg }) => object === 'more' && msg.startsWith('the object is gone'))
    expect(existsSync(join(node.out, 'more.bpf.o'))).toBe(false)
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(true)
  })

  it('takes away what is for the kernel before when the kernel is another', async () => {
    const node = createNode(cleanup)
    cpSync(SAMPLE, join(node.btf, 'vmlinux'))
    const agent = await startAgent(cleanup, node, service.url)
    await agent.line(isPut('exec'))
    await service.stop()
    cpSync(join(import.meta.dirname, '../fixtures/big-endian/target.el.btf'), join(node.btf, 'vmlinux'))
    await agent.line(({ msg }) => msg.includes('they were taken away'))
    await agent.line(({ shown }) => shown === 'nothing')
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
    expect(await agent.ready()).toMatchObject({
      status: 503, body: { status: 'not_ready', objects: [{ object: 'exec', reason: expect.stringContaining('cannot be reached') }] }
    })
    await agent.stop()
    service = await startService(cleanup)
  })

  it('asks no sooner than the service said, and says each trouble once', async () => {
    const proxy = await startProxy(cleanup, service.url)
    const node = createNode(cleanup, [EXEC, UNGUARDED])
    const object = readFileSync(EXEC)
    const names = [object, Buffer.from(createHash('sha256').update(object).digest('hex'))]
    let asked = 0
    proxy.tampering = {
      answer: (answer, sent) => {
        if (names.some(name => sent.includes(name))) asked++ // both objects are asked for, in whichever order
        return asked <= 2 ? { status: 503, headers: { 'retry-after': '1', 'content-type': 'text/plain' }, body: Buffer.alloc(0) } : answer
      }
    }
    const agent = await startAgent(cleanup, node, proxy.url, { CORELO_AGENT_RETRY_MS: '20', CORELO_LOG_LEVEL: 'debug' })
    const waits = async (): Promise<number> =>
      Number((await agent.line(({ retry_ms: wait, level }) => wait !== undefined && level === 50))['retry_ms'])
    expect(await waits()).toBeGreaterThanOrEqual(1000)
    await agent.line(isPut('exec'))
    expect(agent.lines.filter(({ object, level }) => object === 'exec' && level === 50)).toHaveLength(1)
    expect(agent.lines.filter(({ object, level, code }) => object === 'exec' && level === 20 && code === 'overloaded')).toHaveLength(1)
    await agent.stop()
  })
})

describe('the service is down when the agent starts', () => {
  it('uses the last good copy, says so in its metrics, and has the current one soon after the service is back', async () => {
    const folder = temporaryFolder(cleanup)
    const first = await startService(cleanup, { folder })
    const port = Number(new URL(first.url).port)
    const node = createNode(cleanup)
    expect((await runOnce(node, first.url, { CORELO_AGENT_KEYS: first.keys })).code).toBe(0)
    await first.stop()

    const agent = await startAgent(cleanup, node, first.url, { CORELO_AGENT_KEYS: first.keys })
    await agent.line(({ object, shown }) => object === 'exec' && shown === 'last_good')
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
    expect(await agent.metric('corelo_agent_objects{shown="last_good"}')).toBe(1)
    expect(await agent.metric('corelo_agent_object_last_good{object="exec"}')).toBe(1)
    expect(await agent.metric('corelo_agent_service_up')).toBe(0)
    expect((await agent.ready()).status).toBe(200) // what waits for it can start

    await startService(cleanup, { folder, port, hasSample: false })
    await agent.line(({ object, msg }) => object === 'exec' && msg === 'the copy that is in place is the current one')
    expect(await agent.metric('corelo_agent_objects{shown="current"}')).toBe(1)
    expect(await agent.metric('corelo_agent_service_up')).toBe(1)
    await agent.stop()
  })

  it('is not ready without a copy, and gets one soon after the service is there', async () => {
    const folder = temporaryFolder(cleanup)
    const first = await startService(cleanup, { folder })
    await first.stop()
    const node = createNode(cleanup)
    const agent = await startAgent(cleanup, node, first.url)
    await agent.line(({ object, shown }) => object === 'exec' && shown === 'nothing')
    expect((await agent.ready()).status).toBe(503)
    await startService(cleanup, { folder, port: Number(new URL(first.url).port), hasSample: false })
    await agent.line(isPut('exec'))
    expect((await agent.ready()).status).toBe(200)
    await agent.stop()
  })
})
