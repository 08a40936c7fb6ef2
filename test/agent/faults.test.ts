import { spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { MAIN } from '../cli/corelo.js'
import { mountRefusal, smallDisk } from '../support/tmpfs.js'
import { cleanUpAfterAll, createNode, startAgent, startService, temporaryFolder, type Service } from './support.js'

const cleanup = cleanUpAfterAll()
const settled = ({ object, msg }: { object?: string, msg: string }): boolean =>
  object === 'exec' && msg === 'relocated, verified and put in place'

describe('an agent', () => {
  let service: Service
  beforeAll(async () => { service = await startService(cleanup) })

  it.skipIf(!existsSync('/dev/full'))('whose log cannot be written does its work all the same', async () => {
    const node = createNode(cleanup)
    const full = openSync('/dev/full', 'w')
    const child = spawn(
      process.execPath, [MAIN, 'agent', '--once', '--server', service.url],
      { stdio: ['ignore', full, 'inherit'], env: { PATH: process.env['PATH'], ...node.settings } }
    )
    expect(await new Promise(resolve => child.once('close', resolve))).toBe(0)
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(true)
  })

  it.skipIf(
    mountRefusal !== undefined
  )('whose output folder is full says so, lives, and puts the result there once there is room', async () => {
    const disk = smallDisk('256k')
    const filler = join(disk, 'filler')
    writeFileSync(filler, Buffer.alloc(Number(statfsSync(disk).bavail) * Number(statfsSync(disk).bsize)))
    const node = createNode(cleanup)
    const agent = await startAgent(
      cleanup, { ...node, settings: { ...node.settings, CORELO_AGENT_OUT: join(disk, 'out') } }, service.url,
      { CORELO_AGENT_KEYS: service.keys, CORELO_AGENT_REFRESH_MS: '400' }
    )
    await agent.line(({ msg }) => msg.includes('ENOSPC') || msg.includes('no space left'))
    expect((await fetch(`${agent.url}/livez`)).status).toBe(200)
    expect((await agent.ready()).status).toBe(503)
    rmSync(filler)
    await agent.line(settled)
    expect((await agent.ready()).status).toBe(200)
    expect(readFileSync(join(disk, 'out/exec.bpf.o')).length).toBeGreaterThan(0)
    expect(await agent.stop()).toBe(0)
  })

  it('with a wrong token says so once, goes on asking, and has its results when the token is a good one', async () => {
    const folder = temporaryFolder(cleanup)
    const token = join(folder, 'token')
    writeFileSync(join(folder, 'tokens'), `node ${sha256('good')} relocate,upload\n`)
    writeFileSync(token, 'wrong')
    const strict = await startService(
      cleanup, { settings: { CORELO_AUTH: 'token', CORELO_TOKENS_FILE: join(folder, 'tokens') }, hasSample: false }
    )
    const node = createNode(cleanup)
    writeFileSync(join(node.objects, 'more.bpf.o'), readFileSync(join(node.objects, 'exec.bpf.o')))
    writeFileSync(join(node.btf, 'vmlinux'), readFileSync(new URL('../../examples/kernels/sample.btf', import.meta.url)))
    const agent = await startAgent(
      cleanup, node, strict.url,
      { CORELO_AGENT_KEYS: strict.keys, CORELO_AGENT_TOKEN_FILE: token, CORELO_AGENT_RETRY_MS: '50', CORELO_LOG_LEVEL: 'debug' }
    )
    await agent.line(({ code, level }) => code === 'unauthorized' && level === 20) // the second try, which is no news
    const told = agent.lines.filter(({ code, level }) => code === 'unauthorized' && level >= 40)
    expect(told).toEqual([
      expect.objectContaining({ level: 50, msg: expect.stringContaining('The agent goes on asking, with the token that is in its file') })
    ])
    writeFileSync(token, 'good')
    await agent.line(settled)
    await agent.stop()
  })
})
