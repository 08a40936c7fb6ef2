import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { cleanUpAfterAll, DEAD_ADDRESS, REFERENCE, startProxy, startService, type Service } from '../agent/support.js'
import { btf } from '../support/btf-builder.js'
import { fooSpec, guardedObject, targetFoo } from '../support/corpus.js'
import { buildObject } from '../support/object-builder.js'
import { corelo, coreloText, EXEC, GUARDS, removeFoldersAfterEach, ROOT, SAMPLE, temporaryFolder, UNGUARDED } from './corelo.js'

removeFoldersAfterEach()
const cleanup = cleanUpAfterAll()

describe('corelo relocate --server', () => {
  let service: Service
  beforeAll(async () => { service = await startService(cleanup) })

  it('gives the same bytes, messages and exit code as without a service', async () => {
    const folder = temporaryFolder()
    const [here, there] = [join(folder, 'here.o'), join(folder, 'there.o')]
    const local = await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', here])
    const remote = await corelo(['relocate', EXEC, '--btf', SAMPLE, '--server', service.url, '-o', there])
    expect(remote).toEqual(local)
    expect(readFileSync(there)).toEqual(readFileSync(here))
  })

  it('judges by the release that is given beside a BTF, here and there', async () => {
    const [here, there] = [join(temporaryFolder(), 'here.o'), join(temporaryFolder(), 'there.o')]
    const asked = ['relocate', GUARDS, '--btf', SAMPLE, '--kernel-release', '6.1.76']
    const local = await corelo([...asked, '-o', here])
    const remote = await corelo([...asked, '-o', there, '--server', service.url])
    expect(local.stderr).toMatch(/guards\.bpf\.o for 6\.1\.76: /)
    expect(remote).toEqual(local)
  })

  it('judges by the values that are assumed, here and there', async () => {
    const folder = temporaryFolder()
    const [object, empty, out] = [join(folder, 'x.bpf.o'), join(folder, 'empty.btf'), join(folder, 'out.o')]
    writeFileSync(object, guardedObject('setting'))
    writeFileSync(empty, btf().bytes())
    for (const there of [[], ['--server', service.url]]) {
      const relocate = async (...more: string[]) => await corelo(['relocate', object, '--btf', empty, '-o', out, ...there, ...more])
      expect(await relocate('--on-unresolved', 'fail')).toMatchObject({
        code: 0, stderr: expect.stringContaining('verdict loads, assuming .rodata.enabled = 0')
      })
      expect(await relocate('--assume', 'enabled=1', '--assume', 'CONFIG_BPF_JIT=y')).toMatchObject({
        code: 1, stderr: expect.stringContaining('verdict fails, assuming .rodata.enabled = 1')
      })
      expect((await relocate('--assume', 'enabeld=1')).stderr).toContain('it has enabled, ')
    }
  })

  it('names a kernel that only the service knows, and verifies who made the result', async () => {
    const out = join(temporaryFolder(), 'out.o')
    const run = await corelo(['relocate', EXEC, '--kernel', REFERENCE, '--server', service.url, '--keys', service.keys, '-o', out])
    expect(run.code, run.stderr).toBe(0)
    expect(run.stderr).toContain(`exec.bpf.o for ${REFERENCE}: 21 resolved, 1 poisoned`)
    expect(existsSync(out)).toBe(true)
  })

  it.each([[[]], [['--keys']]])('says which kernel the service took where only its release was given, with %j', async options => {
    const keys = options.map(option => [option, service.keys]).flat()
    const release = REFERENCE.slice(REFERENCE.lastIndexOf('/') + 1)
    const run = await corelo(['relocate', EXEC, '-k', release, '--server', service.url, ...keys, '-o', join(temporaryFolder(), 'out.o')])
    expect(run.stderr).toContain(`exec.bpf.o for ${REFERENCE}: 21 resolved, 1 poisoned`)
  })

  it('says that the address may be one of http:// where no TLS is spoken', async () => {
    const run = await corelo(['relocate', EXEC, '-k', REFERENCE, '--server', service.url.replace('http:', 'https:'), '-o', '/dev/null'])
    expect(run).toMatchObject({
      code: 3, stderr: expect.stringMatching(/^corelo: .* cannot be reached: it does not speak TLS \(\w+\); its address may be one of http:/)
    })
  })

  it('writes nothing that another key has signed', async () => {
    const other = await startService(cleanup, { hasSample: false })
    const out = join(temporaryFolder(), 'out.o')
    const { code, stderr } = await corelo(['relocate', EXEC, '--btf', SAMPLE, '--server', service.url, '--keys', other.keys, '-o', out])
    expect({ code, written: existsSync(out) }).toEqual({ code: 3, written: false })
    expect(stderr).toContain('which is not trusted. Nothing was written.')
  })

  it('takes verdict and exit code from what is signed, not from the report beside it', async () => {
    const proxy = await startProxy(cleanup, service.url)
    proxy.tampering = {
      answer (answer) {
        const body = Buffer.from(
          answer.body.toString('latin1').replaceAll('"verdict":"loads"', '"verdict":"fails"').replaceAll('"poisoned":1', '"poisoned":7'),
          'latin1'
        )
        return {
          ...answer,
          headers: { ...answer.headers, 'content-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:` },
          body
        }
      }
    }
    const args = ['relocate', EXEC, '--kernel', REFERENCE, '--server', proxy.url, '--json']
    expect(await coreloText(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('7 poisoned') })
    const believed = await coreloText([...args, '--keys', service.keys])
    expect(believed).toMatchObject({ code: 0, stderr: expect.stringMatching(/1 poisoned.*verdict loads/) })
    expect(JSON.parse(believed.stdout)).toMatchObject({ verdict: 'loads', counts: { poisoned: 1 } })
  })

  it('names the nearest kernels that the service has, where it has not the one that was asked for', async () => {
    const { code, stderr } = await corelo([
      'relocate', EXEC, '--kernel', REFERENCE.replace(/[^/]+$/, '6.1.0-samplf'), '--server', service.url, '--json'
    ])
    expect(code).toBe(3)
    expect(stderr).toContain(REFERENCE)
  })

  it('sends the BTF that a file has, so that its signature can be verified whatever it came in', async () => {
    const out = join(temporaryFolder(), 'out.o')
    const deb = join(ROOT, 'test/fixtures/extraction/packed/linux-image.xz.deb')
    const { code, stderr } = await corelo(['relocate', EXEC, '--btf', deb, '--server', service.url, '--keys', service.keys, '-o', out])
    expect({ code, written: existsSync(out) }, stderr).toEqual({ code: 1, written: true }) // verdict fails: that BTF lacks most of it
  })

  it('prints the report with --json', async () => {
    const { code, stdout } = await corelo(
      ['relocate', '-', '--kernel', REFERENCE, '--server', service.url, '--json'], { input: readFileSync(UNGUARDED) }
    )
    expect(code).toBe(1)
    expect(JSON.parse(stdout.toString())).toMatchObject({
      kernel: { reference: REFERENCE, source: 'upload' }, verdict: 'fails', counts: { poisoned: 1 }
    })
  })

  it('says what libbpf would refuse, and exits with 1', async () => {
    const folder = temporaryFolder()
    const spec = fooSpec()
    const [object, target, out] = [join(folder, 'refused.bpf.o'), join(folder, 'foo.btf'), join(folder, 'out.o')]
    writeFileSync(object, buildObject({ ...spec, records: (spec.records ?? []).map(record => ({ ...record, kind: 13 })) }).bytes)
    writeFileSync(target, targetFoo().bytes())
    const { code, stderr } = await corelo(['relocate', object, '--btf', target, '--server', service.url, '-o', out])
    expect({ code, written: existsSync(out) }).toEqual({ code: 1, written: false })
    expect(stderr).toContain('libbpf refuses the object for it')
  })

  it.each([
    [['--kernel', '5.4.0-nobody'], 3, 'No BTF is known for kernel 5.4.0-nobody'],
    [['--kernel', 'a/b'], 2, 'A whole kernel reference is'],
    [['--token-file', '/nowhere', '--kernel', '5'], 3, 'The token file /nowhere cannot be read']
  ])('%j exits with %i', async (args, code, message) => {
    const run = await corelo(['relocate', EXEC, '--server', service.url, '--json', ...args])
    expect(run.code).toBe(code)
    expect(run.stderr).toContain(message)
  })

  it.each([
    [['--server', 'corelo.example'], 'The server must be an http:// or https:// address'],
    [['--keys', 'keys.json'], 'Option --keys goes with --server.']
  ])('%j is wrong use', async (args, message) => {
    const run = await corelo(['relocate', EXEC, '--json', '--kernel', '5', ...args])
    expect(run.code).toBe(2)
    expect(run.stderr).toContain(message)
  })

  it('says at once that the service is down, and exits with 3', async () => {
    const { code, stderr } = await corelo(['relocate', EXEC, '--server', DEAD_ADDRESS, '--json', '--kernel', '5'])
    expect(code).toBe(3)
    expect(stderr).toMatch(/^corelo: http:\S+ cannot be reached: nothing listens at that address\.$/m)
  })
})

describe('corelo btf list --server', () => {
  let service: Service
  beforeAll(async () => { service = await startService(cleanup) })

  it('lists what the service has, filtered as a local list is', async () => {
    const list = async (...args: string[]) => await corelo(['btf', 'list', '--server', service.url, ...args])
    expect((await list()).stdout.toString()).toContain(REFERENCE)
    expect((await list()).stderr).toContain(`1 kernel in ${service.url}`)
    expect(JSON.parse((await list('--json')).stdout.toString())).toMatchObject({ kernels: [{ reference: REFERENCE }] })
    expect(JSON.parse((await list('--json', '--distro', 'nobody')).stdout.toString())).toEqual({ kernels: [] })
  })

  it('says what does not go together', async () => {
    expect(await corelo(['btf', 'list', '--server', service.url, '--cache-dir', 'x'])).toMatchObject({
      code: 2, stderr: expect.stringContaining('leave --cache-dir out')
    })
    expect(await corelo(['btf', 'list', '--token-file', 'x'])).toMatchObject({
      code: 2, stderr: expect.stringContaining('goes with --server')
    })
  })
})
