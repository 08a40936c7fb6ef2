import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseBtf } from '../../src/index.js'
import { sha256 } from '../../src/store/sha256.js'
import { at, btf, integers, type BtfBuilder } from '../support/btf-builder.js'
import { fooSpec } from '../support/corpus.js'
import { buildObject } from '../support/object-builder.js'
import { relocate } from '../support/relocate.js'
import {
  cleanUpAfterAll, createNode, runOnce, startAgent, startProxy, startService, temporaryFolder, type Node, type Proxy, type Service
} from './support.js'

const cleanup = cleanUpAfterAll()
const OBJECT = buildObject(fooSpec()).bytes

/** A kernel that lacks foo, and modules of it; the forward declaration puts foo's name among the kernel's own strings. */
function kernelBtf (): { base: BtfBuilder, int: number } {
  const base = btf()
  const { int } = integers(base)
  base.fwd('foo')
  return { base, int }
}

function moduleBtf (offset: number, name = 'foo'): Uint8Array {
  const { base, int } = kernelBtf()
  const split = btf({ base })
  split.struct(name, 64, [at('y', offset, int)])
  return split.bytes()
}

const VMLINUX = kernelBtf().base.bytes()

function nodeWith (modules: Readonly<Record<string, Uint8Array>>): Node {
  const node = createNode(cleanup, [])
  writeFileSync(join(node.objects, 'foo.bpf.o'), OBJECT)
  writeFileSync(join(node.btf, 'vmlinux'), VMLINUX)
  for (const [name, bytes] of Object.entries(modules)) writeFileSync(join(node.btf, name), bytes)
  return node
}

/** What libbpf has with these modules consulted. */
function expected (...modules: readonly Uint8Array[]): Buffer {
  const vmlinux = parseBtf(VMLINUX)
  return Buffer.from(relocate(OBJECT, vmlinux, { modules: modules.map(bytes => parseBtf(bytes, { base: vmlinux })) }).bytes ?? [])
}

const resultOf = (node: Node): Buffer => readFileSync(join(node.out, 'foo.bpf.o'))

describe('a type that only a loaded module has', () => {
  let service: Service
  let proxy: Proxy
  beforeAll(async () => {
    service = await startService(cleanup, { hasSample: false })
    proxy = await startProxy(cleanup, service.url)
  })

  it('has its value from that module, whose BTF the service is given, and no other\'s', async () => {
    const foo = moduleBtf(20)
    const node = nodeWith({ bar_mod: moduleBtf(8, 'bar'), foo_mod: foo })
    proxy.seen.length = 0
    const run = await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(resultOf(node)).toEqual(expected(foo))
    expect(resultOf(node)).not.toEqual(expected())
    expect(run.lines).toContainEqual(expect.objectContaining({
      object: 'foo', modules: ['foo_mod'], msg: 'relocated, verified and put in place'
    }))
    expect(proxy.seen.filter(call => call.startsWith('PUT') && call.includes('_mod'))).toEqual([expect.stringContaining('/btf/foo_mod')])

    proxy.seen.length = 0
    const again = await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys })
    expect(again.code).toBe(0)
    expect(again.lines).toContainEqual(expect.objectContaining({ object: 'foo', msg: 'the copy that is in place is the current one' }))
    expect(proxy.seen.filter(call => call.startsWith('PUT') || call.startsWith('POST'))).toEqual([])
  })

  it('has none without it, and has it once it is loaded', async () => {
    const node = nodeWith({})
    const agent = await startAgent(cleanup, node, service.url, { CORELO_AGENT_KEYS: service.keys })
    await agent.line(({ object, code }) => object === 'foo' && code === 'unresolved_reachable')
    expect(existsSync(join(node.out, 'foo.bpf.o'))).toBe(false)
    const foo = moduleBtf(24)
    writeFileSync(join(node.btf, 'foo_mod'), foo)
    await agent.line(({ modules }) => JSON.stringify(modules) === '["foo_mod"]')
    await agent.line(({ object, modules, msg }) =>
      object === 'foo' && modules !== undefined && msg === 'relocated, verified and put in place')
    expect(resultOf(node)).toEqual(expected(foo))
    await agent.stop()
  })

  it('is refused as an earlier copy once the module was built anew', async () => {
    const node = nodeWith({ foo_mod: moduleBtf(28) })
    expect((await runOnce(node, service.url, { CORELO_AGENT_KEYS: service.keys })).code).toBe(0)
    const rebuilt = moduleBtf(32)
    writeFileSync(join(node.btf, 'foo_mod'), rebuilt)
    const offline = await runOnce(node, 'http://127.0.0.1:2', { CORELO_AGENT_KEYS: service.keys }, ['--last-good-ok'])
    expect(offline.code).toBe(3)
    expect(existsSync(join(node.out, 'foo.bpf.o'))).toBe(false)
    expect((await runOnce(node, service.url, { CORELO_AGENT_KEYS: service.keys })).code).toBe(0)
    expect(resultOf(node)).toEqual(expected(rebuilt))
  })

  it('is asked of all modules that have it, and refused where they differ, as libbpf refuses it', async () => {
    const node = nodeWith({ a_mod: moduleBtf(36), b_mod: moduleBtf(40) })
    const run = await runOnce(node, service.url, { CORELO_AGENT_KEYS: service.keys })
    expect(run.code).toBe(1)
    expect(run.lines).toContainEqual(expect.objectContaining({
      object: 'foo', code: 'relocation_failed', reasons: [expect.stringContaining('foo.y')]
    }))
  })

  it('goes with each request where the token may not upload, and stays where nothing may leave the node, which is said', async () => {
    const folder = temporaryFolder(cleanup)
    writeFileSync(join(folder, 'tokens'), `relocating ${sha256('may-relocate')} relocate\n`)
    writeFileSync(join(folder, 'token'), 'may-relocate')
    const strict = await startService(
      cleanup, { hasSample: false, settings: { CORELO_AUTH: 'token', CORELO_TOKENS_FILE: join(folder, 'tokens') } }
    )
    const foo = moduleBtf(44)
    const node = nodeWith({ foo_mod: foo })
    const run = await runOnce(node, strict.url, { CORELO_AGENT_KEYS: strict.keys, CORELO_AGENT_TOKEN_FILE: join(folder, 'token') })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(resultOf(node)).toEqual(expected(foo))
    expect(run.lines).toContainEqual(expect.objectContaining({
      code: 'forbidden', modules: ['foo_mod'], msg: expect.stringContaining('which goes with each request instead')
    }))

    const silent = nodeWith({ foo_mod: foo })
    const kept = await runOnce(silent, service.url, { CORELO_AGENT_KEYS: service.keys }, ['--upload-btf', 'never'])
    expect(kept.code).toBe(1)
    expect(existsSync(join(silent.out, 'foo.bpf.o'))).toBe(false)
    expect(kept.lines).toContainEqual(expect.objectContaining({
      level: 40, modules: ['foo_mod'], msg: expect.stringContaining('types (struct foo) that only modules have (foo_mod)')
    }))
  })
})
