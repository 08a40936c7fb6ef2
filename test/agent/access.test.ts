import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseBtf } from '../../src/index.js'
import { sha256 } from '../../src/store/sha256.js'
import { EXEC, SAMPLE } from '../cli/corelo.js'
import { cleanUpAfterAll, createNode, runOnce, startService, temporaryFolder, type Node, type Service } from './support.js'
import { relocate } from '../support/relocate.js'

const cleanup = cleanUpAfterAll()

describe('an agent whose service wants a token', () => {
  let service: Service
  let tokenFile: string
  const withBtf = (): Node => {
    const node = createNode(cleanup)
    cpSync(SAMPLE, join(node.btf, 'vmlinux'))
    return node
  }

  beforeAll(async () => {
    const folder = temporaryFolder(cleanup)
    const tokens = join(folder, 'tokens')
    tokenFile = join(folder, 'token')
    writeFileSync(tokens, `relocating ${sha256('may-relocate')} relocate\nuploading ${sha256('may-upload')} relocate,upload\n`)
    service = await startService(cleanup, { hasSample: false, settings: { CORELO_AUTH: 'token', CORELO_TOKENS_FILE: tokens } })
  })

  it.each([
    ['none', undefined, 'unauthorized'],
    ['one that nobody knows', 'made-up', 'unauthorized']
  ])('gets nothing with %s, and is told so', async (_what, token, code) => {
    writeFileSync(tokenFile, token ?? '')
    const { code: exit, lines } = await runOnce(
      withBtf(), service.url, { CORELO_AGENT_KEYS: service.keys }, token === undefined ? [] : ['--token-file', tokenFile]
    )
    expect(exit).toBe(3)
    expect(lines).toContainEqual(expect.objectContaining({
      level: 50, object: 'exec', code, shown: 'nothing', msg: expect.stringMatching(/status 401: Credentials are missing or not accepted\. .*--token-file/)
    }))
  })

  it('is told that its token file is not there', async () => {
    const { code, lines } = await runOnce(
      withBtf(), service.url, { CORELO_AGENT_KEYS: service.keys, CORELO_AGENT_TOKEN_FILE: '/nowhere/token' }
    )
    expect(code).toBe(3)
    expect(lines).toContainEqual(expect.objectContaining({
      object: 'exec', msg: expect.stringContaining('The token file /nowhere/token cannot be read')
    }))
  })

  it('gets its results with one that may only relocate: its BTF goes with each request then', async () => {
    writeFileSync(tokenFile, 'may-relocate')
    const node = withBtf()
    const run = await runOnce(node, service.url, { CORELO_AGENT_KEYS: service.keys }, ['--token-file', tokenFile])
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(run.lines).toContainEqual(expect.objectContaining({
      level: 40, code: 'forbidden', msg: expect.stringContaining('which goes with each request instead')
    }))
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(
      Buffer.from(relocate(readFileSync(EXEC), parseBtf(readFileSync(SAMPLE))).bytes ?? [])
    )
  })

  it('gives the service its BTF with one that may upload', async () => {
    writeFileSync(tokenFile, 'may-upload\n')
    const run = await runOnce(withBtf(), service.url, { CORELO_AGENT_KEYS: service.keys }, ['--token-file', tokenFile])
    expect(run.code).toBe(0)
    expect(run.lines).toContainEqual(expect.objectContaining({ msg: 'the service did not have the BTF of this kernel; it has it now' }))
  })
})
