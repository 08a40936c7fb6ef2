import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { SAMPLE } from '../cli/corelo.js'
import {
  cleanUpAfterAll, createNode, REFERENCE, runOnce, startProxy, startService, type Node, type Proxy, type Service
} from './support.js'

const cleanup = cleanUpAfterAll()
/** A kernel's own notes: its build-id, and after it that of its build salt. */
const NOTES = Buffer.from(
  '040000001400000003000000474e550024a3598fd700114d0a1b1a4871badcee75d0acac06000000040000000101000' + '04c696e757800000000000000', 'hex'
)
const BUILD_ID = '24a3598fd700114d0a1b1a4871badcee75d0acac'

const hostOf = (node: Node): string => node.settings['CORELO_HOST_ROOT'] ?? ''

describe('a node', () => {
  let service: Service
  let proxy: Proxy
  /** Fields of the last form that was sent. */
  let form = ''
  beforeAll(async () => {
    service = await startService(cleanup)
    proxy = await startProxy(cleanup, service.url)
    proxy.tampering = { request: (path, _headers, body) => { if (path === '/relocate') form = body.toString('latin1'); return body } }
  })

  const field = (name: string): string | undefined => new RegExp(`name="${name}"\\r\\n\\r\\n([^\\r]*)`).exec(form)?.[1]

  it('whose os-release is an absolute link has it read below its root, and never from the container', async () => {
    const node = createNode(cleanup)
    rmSync(join(hostOf(node), 'etc/os-release'))
    mkdirSync(join(hostOf(node), 'usr/lib'), { recursive: true })
    writeFileSync(join(hostOf(node), 'usr/lib/os-release'), 'ID=sample\nVERSION_ID=1\n')
    symlinkSync('/usr/lib/os-release', join(hostOf(node), 'etc/os-release'))
    expect((await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys })).code).toBe(0)
    expect(field('kernel_release')).toBe(REFERENCE)
  })

  it('without os-release and BTF is told what to mount, and what to say instead', async () => {
    const node = createNode(cleanup)
    rmSync(join(hostOf(node), 'etc/os-release'))
    const run = await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys })
    expect(run.code).toBe(3)
    expect(run.lines).toContainEqual(expect.objectContaining({
      object: 'exec', code: 'kernel_unknown', msg: expect.stringContaining(`There is no os-release below ${hostOf(node)}`)
    }))
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
    const told = await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys }, ['--distro', 'sample', '--distro-version', '1'])
    expect(told.code).toBe(0)
    expect(field('kernel_release')).toBe(REFERENCE)
  })

  it('without os-release that shows BTF has its results by that, and gives it to nobody under a name', async () => {
    const node = createNode(cleanup)
    rmSync(join(hostOf(node), 'etc/os-release'))
    cpSync(SAMPLE, join(node.btf, 'vmlinux'))
    const fresh = await startService(cleanup, { hasSample: false })
    const run = await runOnce(node, fresh.url, { CORELO_AGENT_KEYS: fresh.keys })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(await (await fetch(`${fresh.url}/kernels`)).json()).toMatchObject({ kernels: [] })
    expect(run.lines).toContainEqual(expect.objectContaining({ level: 40, msg: expect.stringContaining('There is no os-release below') }))
  })

  it('sends its build-id, by which it can be asked for where nothing else tells which kernel it is', async () => {
    const node = createNode(cleanup)
    const notes = join(node.out, '../notes')
    writeFileSync(notes, NOTES)
    expect((await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys, CORELO_AGENT_KERNEL_NOTES: notes })).code).toBe(0)
    expect([field('kernel_release'), field('kernel_build_id')]).toEqual([REFERENCE, BUILD_ID])

    rmSync(join(hostOf(node), 'etc/os-release'))
    await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys, CORELO_AGENT_KERNEL_NOTES: notes })
    expect([field('kernel_release'), field('kernel_build_id')]).toEqual(['6.1.0-sample', BUILD_ID])
  })

  /** Kernels of one content under two names, of which the second is known by its build-id. */
  const withBuildId = async (known: string): Promise<Service> => {
    const other = await startService(cleanup)
    const put = await fetch(
      `${other.url}/kernels/${known}/btf?kernel_build_id=${BUILD_ID}`,
      { method: 'PUT', body: readFileSync(SAMPLE), headers: { 'content-type': 'application/octet-stream' } }
    )
    expect(put.status).toBe(201)
    return other
  }
  const nodeWithNotes = (): Node => {
    const node = createNode(cleanup)
    writeFileSync(join(node.out, '../notes'), NOTES)
    return { ...node, settings: { ...node.settings, CORELO_AGENT_KERNEL_NOTES: join(node.out, '../notes') } }
  }

  it('without BTF whose os-release is that of the container is given the right kernel by its build-id', async () => {
    const known = `ubuntu/24.04/${REFERENCE.split('/')[2]}/6.8.0-31-generic`
    const other = await withBuildId(known)
    const node = nodeWithNotes()
    writeFileSync(join(hostOf(node), 'etc/os-release'), 'ID=rocky\nVERSION_ID="9.4"\nID_LIKE="rhel centos fedora"\n')
    const run = await runOnce(node, other.url, { CORELO_AGENT_KEYS: other.keys, CORELO_AGENT_KERNEL_RELEASE: '6.8.0-31-generic' })
    expect(run.code, JSON.stringify(run.lines)).toBe(0)
    expect(JSON.parse(readFileSync(join(node.out, 'exec.report.json'), 'utf8'))).toMatchObject({
      kernel: { reference: known, build_id: BUILD_ID }
    })
  })

  it('without BTF whose name is that of another kernel than its build-id is refused, with both', async () => {
    const known = REFERENCE.replace('sample/1', 'other/2')
    const other = await withBuildId(known)
    const node = nodeWithNotes()
    const run = await runOnce(node, other.url, { CORELO_AGENT_KEYS: other.keys })
    expect(run.code).not.toBe(0)
    expect(run.lines).toContainEqual(expect.objectContaining({
      object: 'exec',
      code: 'kernel_ambiguous',
      msg: expect.stringContaining(`The build-id ${BUILD_ID} is that of ${known}, and not of ${REFERENCE}`)
    }))
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
  })

  it('is not given an object that was relocated before, which is told apart from one without a signature', async () => {
    const node = createNode(cleanup)
    expect((await runOnce(node, service.url, { CORELO_AGENT_KEYS: service.keys })).code).toBe(0)
    const again = createNode(cleanup, [join(node.out, 'exec.bpf.o')])
    const run = await runOnce(again, service.url, { CORELO_AGENT_KEYS: service.keys })
    expect(run).toMatchObject({
      code: 1,
      lines: expect.arrayContaining([expect.objectContaining({
        object: 'exec', shown: 'nothing', code: 'object_invalid', msg: expect.stringContaining('was relocated before')
      })])
    })
    expect(existsSync(join(again.out, 'exec.bpf.o'))).toBe(false)
    expect(readFileSync(join(node.out, 'exec.bpf.o')).length).toBeGreaterThan(0)
  })
})
