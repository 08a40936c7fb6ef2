import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseBtf } from '../../src/index.js'
import { sha256 } from '../../src/store/sha256.js'
import { EXEC, ROOT, SAMPLE } from '../cli/corelo.js'
import {
  cleanUpAfterAll, createNode, DEAD_ADDRESS, putKernel, REFERENCE, runOnce, startProxy, startService, type AgentRun, type Node, type Service
} from './support.js'
import { btf } from '../support/btf-builder.js'
import { buildObject } from '../support/object-builder.js'
import { relocate } from '../support/relocate.js'

const CONNECT = join(ROOT, 'examples/connect.bpf.o')

const cleanup = cleanUpAfterAll()
let service: Service
const down = DEAD_ADDRESS
const once = async (node: Node, settings: Record<string, string> = {}, args: readonly string[] = []): Promise<AgentRun> =>
  await runOnce(node, service.url, { CORELO_AGENT_KEYS: service.keys, ...settings }, args)
const relocated = (object: string): Buffer => Buffer.from(relocate(readFileSync(object), parseBtf(readFileSync(SAMPLE))).bytes ?? [])
const summary = ({ lines }: AgentRun): unknown => lines.at(-1)

beforeAll(async () => {
  service = await startService(cleanup)
})

describe('corelo agent --once, on a node without BTF', () => {
  it('puts out what the library gives for its kernel, and the report, and nothing else in sight', async () => {
    const node = createNode(cleanup, [EXEC, CONNECT])
    const run = await once(node)
    expect(run, JSON.stringify(run.lines)).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
    expect(readFileSync(join(node.out, 'connect.bpf.o'))).toEqual(relocated(CONNECT))
    expect(JSON.parse(readFileSync(join(node.out, 'exec.report.json'), 'utf8'))).toMatchObject({
      kernel: { reference: REFERENCE }, object: { sha256: sha256(readFileSync(EXEC)) }
    })
    expect(readdirSync(node.out).filter(name => !name.startsWith('.')).sort()).toEqual([
      'connect.bpf.o', 'connect.report.json', 'exec.bpf.o', 'exec.report.json'
    ])
    expect(summary(run)).toMatchObject({ result: 'fine', objects: 2, current: 2 })
  })

  it('waits by itself while the service fetches the kernel, as long as it may', async () => {
    const proxy = await startProxy(cleanup, service.url)
    let asked = 0
    const problem = { code: 'fetching', detail: 'It is being fetched.', progress: { phase: 'package', bytes: 1, total: 2 } }
    const headers = { 'retry-after': '1', 'content-type': 'application/problem+json' }
    const ask = async (times: number, waitMs: string): Promise<AgentRun> => {
      asked = 0
      proxy.tampering = {
        answer: answer => ++asked <= times ? { status: 503, headers, body: Buffer.from(JSON.stringify(problem)) } : answer
      }
      return await runOnce(createNode(cleanup), proxy.url, { CORELO_AGENT_KEYS: service.keys, CORELO_AGENT_WAIT_MS: waitMs })
    }
    expect(await ask(2, '600000')).toMatchObject({
      code: 0, lines: expect.arrayContaining([expect.objectContaining({ code: 'fetching' })])
    })
    expect(asked).toBeGreaterThanOrEqual(3)
    expect(summary(await ask(Infinity, '0'))).toMatchObject({ result: 'cannot_tell' })
  })

  it('says which programs the kernel refuses because they need its BTF', async () => {
    const node = createNode(cleanup, [EXEC])
    const code = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)
    const object = buildObject({ local: btf(), programs: [{ section: 'fentry/tcp_connect', name: 'on_connect', code }] })
    writeFileSync(join(node.objects, 'traced.bpf.o'), object.bytes)
    const { lines } = await once(node)
    const warnings = lines.filter(({ msg }) => msg.includes('need BTF in the running kernel'))
    expect(warnings).toMatchObject([{ level: 40, object: 'traced', programs: ['on_connect: attaches by BTF (fentry)'] }])
  })

  it('says that the folder for pins cannot be made, and puts the result out all the same', async () => {
    const node = createNode(cleanup, [EXEC, CONNECT])
    const run = await once(node, {}, ['--pin', '/proc/corelo/pins'])
    expect(run.lines).toContainEqual(expect.objectContaining({ msg: expect.stringMatching(/\/proc\/corelo\/pins cannot be used .*mount -t bpf/) }))
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
    expect(run.code).toBe(2)
    expect(summary(run)).toMatchObject({ result: 'wrong_setting', objects: 2, current: 2 })
  })

  it.each([
    ['a folder that is in no bpf file system', (node: Node) => ['--pin', node.objects], 'CORELO_AGENT_PIN', /is in no bpf file system/],
    ['a folder for pins that is a file', () => ['--pin', '/dev/null/pins'], 'CORELO_AGENT_PIN', /cannot be used/],
    ['keys that are not there', () => ['--keys', '/nowhere/keys.json'], 'CORELO_AGENT_KEYS', /keys file \/nowhere\/keys.json cannot be read/],
    ['keys that are none', () => ['--keys', EXEC], 'CORELO_AGENT_KEYS', /The keys of .* cannot be used/],
    ['an address that serves no keys', () => ['--keys', `${service.url}/livez`], 'CORELO_AGENT_KEYS', /The keys are not a JWKS/],
    ['an address that serves no JSON', () => ['--keys', `${service.url}/metrics`], 'CORELO_AGENT_KEYS', /something else than keys/]
  ])('exits with 2 for %s, and says so once, however many objects there are', async (_what, args, setting, message) => {
    const node = createNode(cleanup, [EXEC, CONNECT])
    const run = await once(node, {}, args(node))
    expect(run.code).toBe(2)
    expect(run.lines.filter(({ level }) => level >= 40)).toMatchObject([
      { level: 50, setting, msg: expect.stringMatching(message) }, { level: 50, result: 'wrong_setting' }
    ])
  })

  it('exits with 3 where the keys of an address cannot be had', async () => {
    expect((await once(createNode(cleanup), {}, ['--keys', `${down}/keys.json`])).code).toBe(3)
  })

  it('sends an object only to a service that lacks it, and fetches a result once', async () => {
    const own = await startService(cleanup)
    const proxy = await startProxy(cleanup, own.url)
    const [first, second] = [createNode(cleanup), createNode(cleanup)]
    const sizes: number[] = []
    proxy.tampering = { request: (_path, _headers, body) => { sizes.push(body.length); return body } }
    for (const node of [first, second, first]) expect((await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: own.keys })).code).toBe(0)
    expect(proxy.seen).toEqual(['POST /relocate', 'POST /relocate', 'POST /relocate', 'POST /relocate'])
    expect(sizes.map(size => size > readFileSync(EXEC).length)).toEqual([false, true, false, false])
  })

  it('does not take the BTF of another build of the release', async () => {
    const own = await startService(cleanup, { hasSample: false })
    await putKernel(own.url, REFERENCE, readFileSync(SAMPLE), '#1 SMP of another day')
    const run = await runOnce(createNode(cleanup), own.url, { CORELO_AGENT_KEYS: own.keys })
    expect(run.code).toBe(3)
    expect(run.lines).toContainEqual(expect.objectContaining({ object: 'exec', code: 'kernel_unknown', shown: 'nothing' }))
  })

  it('says of an unknown kernel once that it is, however many objects there are', async () => {
    const run = await once(createNode(cleanup, [EXEC, CONNECT]), { CORELO_AGENT_KERNEL_RELEASE: '6.1.1-sample' })
    expect(run.lines.filter(({ code }) => code === 'kernel_unknown')).toMatchObject([
      { level: 50, msg: expect.stringContaining('So it is for every object.') }
    ])
    expect(summary(run)).toMatchObject({ objects: 2, nothing: 2 })
  })

  it('says of an unknown kernel what was asked, where, and what is near', async () => {
    const node = createNode(cleanup)
    const run = await once(node, { CORELO_AGENT_KERNEL_RELEASE: '6.1.1-sample' })
    expect(run.code).toBe(3)
    expect(run.lines).toContainEqual(expect.objectContaining({
      level: 50,
      object: 'exec',
      code: 'kernel_unknown',
      sources: expect.any(Array),
      nearest: [REFERENCE],
      msg: expect.stringMatching(/6\.1\.1-sample.*There is no good copy for this kernel/)
    }))
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
  })
})

describe('corelo agent --once, on a node with BTF', () => {
  const withBtf = (): Node => {
    const node = createNode(cleanup)
    cpSync(SAMPLE, join(node.btf, 'vmlinux'))
    return node
  }

  it('gives the service the BTF that it lacks, once, and asks by its hash', async () => {
    const own = await startService(cleanup, { hasSample: false })
    const proxy = await startProxy(cleanup, own.url)
    const node = withBtf()
    const run = await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: own.keys })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
    const hash = sha256(readFileSync(SAMPLE))
    expect(proxy.seen.slice(0, 2)).toEqual([
      `HEAD /btf/${hash}`, expect.stringMatching(new RegExp(`^PUT /kernels/${REFERENCE}/btf\\?kernel_version=`))
    ])
    proxy.seen.length = 0
    expect((await runOnce(withBtf(), proxy.url, { CORELO_AGENT_KEYS: own.keys })).code).toBe(0)
    expect(proxy.seen).toEqual([`HEAD /btf/${hash}`, 'POST /relocate'])
  })

  it('sends its BTF along where the service has another one under that name', async () => {
    const own = await startService(cleanup, { hasSample: false })
    const [other] = [join(import.meta.dirname, '../fixtures/big-endian/target.el.btf')]
    await putKernel(own.url, REFERENCE, readFileSync(other))
    const node = withBtf()
    const run = await runOnce(node, own.url, { CORELO_AGENT_KEYS: own.keys })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(run.lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
  })

  it('keeps its BTF to itself with --upload-btf never, and then takes no result for a name', async () => {
    const own = await startService(cleanup, { hasSample: false })
    await putKernel(own.url, REFERENCE, readFileSync(join(import.meta.dirname, '../fixtures/big-endian/target.el.btf')))
    const proxy = await startProxy(cleanup, own.url)
    const run = await runOnce(withBtf(), proxy.url, { CORELO_AGENT_KEYS: own.keys }, ['--upload-btf', 'never'])
    expect(run.code).toBe(3)
    expect(run.lines).toContainEqual(expect.objectContaining({ object: 'exec', code: 'btf_unknown' }))
    expect(new Set(proxy.seen)).toEqual(new Set(['POST /relocate']))
  })
})

describe('corelo agent --once, with copies from before,', () => {
  it('uses them while the service is down, says so, and exits with 3; with --last-good-ok with 0', async () => {
    const node = createNode(cleanup)
    expect((await once(node)).code).toBe(0)
    const run = await runOnce(node, down, { CORELO_AGENT_KEYS: service.keys })
    expect(run.code).toBe(3)
    expect(run.lines).toContainEqual(expect.objectContaining({
      level: 40, object: 'exec', shown: 'last_good', msg: expect.stringContaining('The last good copy for this kernel stays in use.')
    }))
    expect(summary(run)).toMatchObject({ result: 'cannot_tell', current: 0, last_good: 1, nothing: 0 })
    expect((await runOnce(node, down, { CORELO_AGENT_KEYS: service.keys }, ['--last-good-ok'])).code).toBe(0)
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
  })

  it('has nothing to use on its first start without the service, and --last-good-ok does not change that', async () => {
    const node = createNode(cleanup)
    const run = await runOnce(node, down, {}, ['--last-good-ok'])
    expect(run.code).toBe(3)
    expect(summary(run)).toMatchObject({ last_good: 0, nothing: 1 })
  })

  it('takes them away once another kernel runs, and has them again when the one before is back', async () => {
    const node = createNode(cleanup)
    const shown = join(node.out, 'exec.bpf.o')
    expect((await once(node)).code).toBe(0)
    const upgraded = await runOnce(
      node, down, { CORELO_AGENT_KEYS: service.keys, CORELO_AGENT_KERNEL_RELEASE: '6.2.0-sample' }, ['--last-good-ok']
    )
    expect(upgraded.code).toBe(3)
    expect(upgraded.lines).toContainEqual(expect.objectContaining({
      level: 40, objects: ['exec'], msg: 'the results that were there are for another kernel; they were taken away'
    }))
    expect([existsSync(shown), existsSync(join(node.out, 'exec.report.json'))]).toEqual([false, false])
    const back = await runOnce(node, down, { CORELO_AGENT_KEYS: service.keys }, ['--last-good-ok'])
    expect(back.code).toBe(0)
    expect(readFileSync(shown)).toEqual(relocated(EXEC))
  })

  it('keeps them when the distribution was upgraded and the kernel was not', async () => {
    const node = createNode(cleanup)
    expect((await once(node)).code).toBe(0)
    writeFileSync(join(node.settings['CORELO_HOST_ROOT'] ?? '', 'etc/os-release'), 'ID=sample\nVERSION_ID=2\n')
    const run = await once(node)
    expect(run.code).toBe(3)
    expect(run.lines).toContainEqual(expect.objectContaining({ object: 'exec', code: 'kernel_unknown', shown: 'last_good' }))
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
  })

  it('takes away what is for another kernel also when its object is not there any more', async () => {
    const node = createNode(cleanup, [EXEC, CONNECT])
    expect((await once(node)).code).toBe(0)
    rmSync(join(node.objects, 'connect.bpf.o'))
    await runOnce(node, down, { CORELO_AGENT_KERNEL_RELEASE: '6.2.0-sample' })
    expect(readdirSync(node.out)).toEqual(['.corelo'])
  })

  it('notices that one was damaged, and fetches it anew', async () => {
    const node = createNode(cleanup)
    expect((await once(node)).code).toBe(0)
    const [kernel = ''] = readdirSync(join(node.out, '.corelo'))
    const kept = readdirSync(join(node.out, '.corelo', kernel)).find(file => file.endsWith('.bpf.o')) ?? ''
    writeFileSync(join(node.out, '.corelo', kernel, kept), 'torn')
    writeFileSync(join(node.out, 'exec.bpf.o'), 'torn')
    expect((await once(node)).code).toBe(0)
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
  })

  it('keeps the copy of an object whose new version the service refuses', async () => {
    const node = createNode(cleanup)
    expect((await once(node)).code).toBe(0)
    writeFileSync(join(node.objects, 'exec.bpf.o'), 'half an obj')
    const run = await once(node)
    expect(run.code).toBe(1)
    expect(run.lines).toContainEqual(expect.objectContaining({ object: 'exec', shown: 'earlier', code: 'object_invalid' }))
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(relocated(EXEC))
  })
})

describe('the objects folder', () => {
  it('may be a mounted ConfigMap, which consists of links', async () => {
    const node = createNode(cleanup)
    renameSync(join(node.objects, 'exec.bpf.o'), join(node.objects, '..exec'))
    symlinkSync('..exec', join(node.objects, 'exec.bpf.o'))
    const run = await once(node)
    expect({ code: run.code, summary: summary(run) }).toMatchObject({ code: 0, summary: { objects: 1 } })
  })

  it('may not have two objects whose results have one name', async () => {
    const node = createNode(cleanup)
    cpSync(EXEC, join(node.objects, 'exec.o'))
    const run = await once(node)
    expect(run.code).toBe(1)
    expect(run.lines).toContainEqual(expect.objectContaining({
      level: 50, msg: expect.stringContaining('exec.bpf.o and exec.o would have results of the same name; rename one of them.')
    }))
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(true)
  })

  it('must not be empty', async () => {
    const node = createNode(cleanup, [])
    const run = await once(node)
    expect(run.code).toBe(2)
    expect(run.lines.at(-1)?.msg).toContain('put the objects there')
  })

  it.each([
    [{ CORELO_AGENT_OUT: '' }, 'The agent needs --out DIR (or CORELO_AGENT_OUT).'],
    [{ CORELO_AGENT_OBJECTS: `/${'x'.repeat(300)}` }, 'cannot be used: ENAMETOOLONG'],
    [{ CORELO_AGENT_OBJECTS: '/nowhere' }, 'The objects folder /nowhere is not there'],
    [{ CORELO_AGENT_UPLOAD_BTF: 'sometimes' }, 'CORELO_AGENT_UPLOAD_BTF must be auto or never, not "sometimes".'],
    [{ CORELO_AGENT_WAIT_MS: 'long' }, 'CORELO_AGENT_WAIT_MS must be a whole number'],
    [{ CORELO_AGENT_PIN: '/sys/fs/bpf/v1.2' }, 'must be a folder of a bpf file system without a dot in its path'],
    [{ CORELO_AGENT_KEYS: 'https://' }, 'must be a file or an address (http, https)'],
    [{ CORELO_AGENT_INSECURE_SKIP_VERIFY: 'yes' }, 'must be true or false']
  ])('%j is wrong use', async (settings, message) => {
    const { code, stderr, lines } = await once(createNode(cleanup), settings)
    expect({ code, lines }).toEqual({ code: 2, lines: [] })
    expect(stderr).toContain(message)
  })
})
