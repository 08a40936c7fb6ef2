import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { generateSigningKey } from '../../src/attestation/signing-keys.js'
import { formatReference } from '../../src/identity/reference.js'
import { nameRunningKernel } from '../../src/identity/running-kernel.js'
import { ATTACH, describeLab, labBtf, NEEDS, ROOT, scratchFolder } from '../support/lab.js'
import { createNetwork, type Machine, type Network, type Process } from './network.js'
import { EXEC, POISON_MESSAGE, readAttachResult, relocateFor, UNGUARDED, WRONG_LAYOUT } from './relocated.js'

const MAIN = join(ROOT, 'dist/bundle/main.js')
const NODE = process.execPath
const UNKNOWN_RELEASE = '6.1.0-of-nobody'
/** Gives a service a kernel, once it is ready. */
const PUT = `
  const [file, url] = process.argv.slice(1)
  const body = require('node:fs').readFileSync(file)
  const request = { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } }
  const put = () => fetch(url, request).then(({ status }) => status === 503 ? setTimeout(put, 100) : console.log(status))
  put()`
const PUT_OUT = 'relocated, verified and put in place'

describeLab('three nodes and a service, each in a network of its own,', [
  NEEDS.kernel, NEEDS.bpftool, NEEDS.network, NEEDS.attach, NEEDS.btf('running'), NEEDS.btf('debian-6.1')
], () => {
  const folder = scratchFolder()
  const keyFile = join(folder, 'signing.pem')
  const outOf = (node: string): string => join(folder, node, 'out')
  const pinsOf = (node: string): string => join(folder, node, 'bpf/corelo')
  let network: Network
  let bare: Process
  let withBtf: Process
  let unknown: Process

  const startService = async (machine: Machine, cache: string): Promise<Process> => {
    const service = machine.start(`exec ${NODE} ${MAIN} serve`, {
      CORELO_HOST: '0.0.0.0',
      CORELO_AUTH: 'none',
      CORELO_CACHE_DIR: join(folder, cache),
      CORELO_SIGNING_KEY_FILE: keyFile,
      CORELO_LOCAL_KERNEL: 'false',
      CORELO_BTFHUB_URL: '',
      CORELO_TRUST_UPLOADS: 'true',
      CORELO_WORKERS: '1',
      CORELO_SHUTDOWN_MS: '1000'
    })
    await service.until(/listening at http:\/\/127\.0\.0\.1/)
    return service
  }

  /** An agent on a node: with objects, folders, and a bpf file system that is gone with the process. */
  const startAgent = (
    machine: Machine, name: string, options: { hidesBtf: boolean, args?: string, env?: Record<string, string> }
  ): Process => {
    const home = join(folder, name)
    for (const inside of ['objects', 'bpf']) mkdirSync(join(home, inside), { recursive: true })
    for (const object of [WRONG_LAYOUT, EXEC]) copyFileSync(object, join(home, 'objects', basename(object)))
    return machine.start(`
      ${options.hidesBtf ? 'if [ -d /sys/kernel/btf ]; then mount -t tmpfs hidden /sys/kernel/btf; fi' : ''}
      mount -t bpf bpf ${home}/bpf
      exec ${NODE} ${MAIN} agent --server ${machine.server} --objects ${home}/objects --out ${home}/out \\
        --keys ${join(folder, 'keys.json')} ${options.args ?? `--pin ${pinsOf(name)}`}`,
    { CORELO_AGENT_PORT: '0', CORELO_AGENT_POLL_MS: '50', CORELO_AGENT_SPREAD_MS: '0', ...options.env })
  }

  beforeAll(async () => {
    const { reference } = await nameRunningKernel({})
    if (reference === undefined) throw new Error('the kernel of this machine has no name')
    writeFileSync(keyFile, generateSigningKey(), { mode: 0o600 })
    network = await createNetwork(3)
    const [first, second, third] = network.nodes
    if (first === undefined || second === undefined || third === undefined) throw new Error('a node is missing')

    // The third node has a copy from the days when the service knew its kernel.
    const earlier = await startService(network.service, 'cache-of-before')
    const unknownKernel = `${network.service.server}/kernels/${formatReference({ ...reference, release: UNKNOWN_RELEASE })}/btf`
    expect(earlier.run(NODE, '-e', PUT, labBtf('debian-6.1'), unknownKernel)).toEqual({ status: 0, output: '201\n' })
    writeFileSync(join(folder, 'keys.json'), earlier.run(
      NODE, '-e', `fetch('${network.service.server}/.well-known/corelo-keys.json').then(answer => answer.text()).then(console.log)`
    ).output)
    const passesForUnknown = { CORELO_AGENT_KERNEL_RELEASE: UNKNOWN_RELEASE }
    const once = startAgent(third, 'unknown', { hidesBtf: true, args: '--once', env: passesForUnknown })
    expect(await once.ended, once.output()).toBe(0)
    await earlier.stop()

    await startService(network.service, 'cache')
    unknown = startAgent(third, 'unknown', { hidesBtf: true, args: '', env: passesForUnknown })
    withBtf = startAgent(second, 'with-btf', { hidesBtf: false })
    await withBtf.until(new RegExp(`"exec".*${PUT_OUT}[^]*"wrong-layout".*${PUT_OUT}`))
    bare = startAgent(first, 'bare', { hidesBtf: true })
    await bare.until(new RegExp(`"exec".*${PUT_OUT}[^]*"wrong-layout".*${PUT_OUT}`))
    await unknown.until(/kernel_unknown/)
  }, 120_000)

  afterAll(async () => {
    await network?.remove()
  })

  it('the node without BTF really has none: objects as they were compiled are refused there', () => {
    expect(bare.output()).toContain('this kernel shows no BTF')
    expect(bare.run(ATTACH, WRONG_LAYOUT)).toMatchObject({ status: 1, output: expect.stringContaining('Error loading vmlinux BTF') })
  })

  it('the node with BTF gave it to the service, which had none', () => {
    expect(withBtf.output()).toContain('the service did not have the BTF of this kernel; it has it now')
  })

  it.each([['bare'], ['with-btf']])('on the node %s the programs are in the kernel, and read what /proc says, all 31 values', name => {
    const agent = name === 'bare' ? bare : withBtf
    const pins = join(pinsOf(name), 'wrong-layout')
    expect(JSON.parse(agent.run('bpftool', '--json', 'prog', 'show', 'pinned', join(pins, 'wrong_layout')).output)).toMatchObject({
      type: 'raw_tracepoint', name: 'wrong_layout'
    })
    expect(agent.run('bpftool', 'prog', 'show', 'pinned', join(pinsOf(name), 'exec/on_exec')).status).toBe(0)
    const { status, output } = agent.run(ATTACH, pins)
    expect(readAttachResult(output), output).toEqual({ agree: 31, differ: 0, differing: [] })
    expect(status).toBe(0)
  })

  it.each([['bare'], ['with-btf']])('on the node %s the object is the one that the engine makes of its BTF', name => {
    const [expected] = relocateFor('running', [WRONG_LAYOUT], folder)
    expect(readFileSync(join(outOf(name), 'wrong-layout.bpf.o'))).toEqual(readFileSync(expected?.path ?? ''))
  })

  it('what the kernel refuses is told with its reason, and what was loaded before stays', async () => {
    const input = (name: string): string => join(folder, 'bare/objects', name)
    const idOf = (pin: string): unknown =>
      JSON.parse(bare.run('bpftool', '--json', 'prog', 'show', 'pinned', join(pinsOf('bare'), pin)).output).id
    const before = idOf('exec/on_exec')
    copyFileSync(UNGUARDED, input('unguarded.bpf.o'))
    // Where the service can tell that the instruction is reached, nothing is loaded in the first place.
    await bare.until(new RegExp(`"object":"unguarded".*(?:${POISON_MESSAGE}|unresolved_reachable)`))
    copyFileSync(UNGUARDED, input('exec.bpf.o'))
    await bare.until(new RegExp(`"object":"exec".*(?:${POISON_MESSAGE}|unresolved_reachable)`))
    expect(bare.run('ls', pinsOf('bare')).output.trim().split('\n')).toEqual(['exec', 'wrong-layout'])
    expect(idOf('exec/on_exec')).toBe(before)
  })

  it('an object that changed is loaded in place of the one before', async () => {
    copyFileSync(EXEC, join(folder, 'bare/objects/unguarded.bpf.o'))
    await bare.until(/"object":"unguarded","msg":"loaded into the kernel and pinned"/)
    expect(bare.run('bpftool', 'prog', 'show', 'pinned', join(pinsOf('bare'), 'unguarded/on_exec')).status).toBe(0)
  })

  it('the node whose kernel nobody knows is told why, and keeps its last good copy', () => {
    const lines = unknown.output().split('\n').filter(text => text.includes('kernel_unknown'))
    expect(lines, 'once for both objects').toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({
      shown: 'last_good',
      sources: expect.any(Array),
      msg: expect.stringMatching(new RegExp(`${UNKNOWN_RELEASE}.*every object\\. The last good copy for this kernel stays in use`))
    })
    const [expected] = relocateFor('debian-6.1', [WRONG_LAYOUT], folder)
    expect(readFileSync(join(outOf('unknown'), 'wrong-layout.bpf.o'))).toEqual(readFileSync(expected?.path ?? ''))
  })

  it('an agent that is stopped leaves its results where they are', async () => {
    expect(await unknown.stop()).toBe(0)
    expect(existsSync(join(outOf('unknown'), 'wrong-layout.bpf.o'))).toBe(true)
  })
})
