import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, openImage, run, temporaryFolder, type Container, type Image } from './runtime.js'

const ROOT = join(import.meta.dirname, '../..')
const KERNELS = join(ROOT, 'examples/kernels')
const SERVICE_USER = 10_001
/** Unpacked; Node itself is 120 of it. */
const MAX_MEGABYTES = 250

const work = mkdtempSync(join(tmpdir(), 'corelo-image-'))

function build (target: string): Image {
  const folder = join(work, target)
  const { status, stderr } = spawnSync(
    'scripts/build-image.sh', [target, folder],
    { cwd: ROOT, encoding: 'utf8', env: { ...process.env, CORELO_IMAGE_WORK: process.env['CORELO_IMAGE_WORK'] ?? join(work, 'store') } }
  )
  if (status !== 0) throw new Error(stderr)
  console.log(stderr.trim())
  return openImage(folder)
}

const BUILD_MS = 600_000

afterAll(() => { rmSync(work, { recursive: true, force: true }) })

async function start (image: Image, env: Readonly<Record<string, string>> = {}): Promise<{
  readonly container: Container
  readonly url: string
  readonly cache: string
}> {
  const port = await freePort()
  const cache = temporaryFolder(SERVICE_USER)
  const container = run(image, {
    env: { CORELO_HOST: '127.0.0.1', CORELO_PORT: String(port), ...env }, mounts: [{ source: cache, destination: '/cache', writable: true }]
  })
  const url = `http://127.0.0.1:${port}`
  await expect
    .poll(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status, { interval: 50, message: container.output() })
    .toBe(200)
  return { container, url, cache }
}

describe("the service's image", () => {
  let image: Image
  beforeAll(() => { image = build('service') }, BUILD_MS)

  it('relocates, with a root that cannot be written to and no rights', async () => {
    const { container, url, cache } = await start(image)
    const form = new FormData()
    form.set('object', new Blob([readFileSync(join(ROOT, 'examples/exec.bpf.o'))]))
    form.set('btf', new Blob([readFileSync(join(KERNELS, 'sample.btf'))]))
    const answer = await fetch(`${url}/relocate`, { method: 'POST', body: form })
    expect(answer.status, container.output()).toBe(200)
    expect(Buffer.from(await answer.arrayBuffer()).subarray(0, 4)).toEqual(Buffer.from('\x7fELF', 'latin1'))

    const seen = container.exec('/usr/local/bin/node', '-e', `
      const status = fs.readFileSync('/proc/1/status', 'utf8')
      const attempt = path => { try { fs.writeFileSync(path, ''); return 'written' } catch ({ code }) { return code } }
      console.log(JSON.stringify({
        uids: /^Uid:\\t(.*)$/m.exec(status)[1],
        capabilities: /^CapBnd:\\t(.*)$/m.exec(status)[1],
        noNewPrivileges: /^NoNewPrivs:\\t(.*)$/m.exec(status)[1],
        root: attempt('/x'), app: attempt('/app/dist/x'), tmp: attempt('/tmp/x'), cache: attempt('/cache/x')
      }))`)
    expect(JSON.parse(seen.output)).toEqual({
      uids: Array(4).fill(SERVICE_USER).join('\t'),
      capabilities: '0'.repeat(16),
      noNewPrivileges: '1',
      root: 'EROFS',
      app: 'EROFS',
      tmp: 'written',
      cache: 'written'
    })
    expect(readdirSync(cache)).toContain('x')
  })

  it('is found healthy by its own check while it serves, and not before', async () => {
    const [, ...check] = image.config.Healthcheck.Test
    const { container } = await start(image)
    expect(container.exec(...check).status).toBe(0)
    const elsewhere = check.map(part => part.replace('process.env.CORELO_PORT', '1'))
    expect(container.exec(...elsewhere).status).toBe(1)
  })

  it('stops by the signal that it asks for, with exit code 0', async () => {
    const { container } = await start(image, { CORELO_SHUTDOWN_MS: '1400' })
    container.kill(image.config.StopSignal)
    expect(await container.exited, container.output()).toBe(0)
  })

  it('does not start for others before somebody says who may call', async () => {
    const container = run(
      image, { env: { CORELO_PORT: '0' }, mounts: [{ source: temporaryFolder(SERVICE_USER), destination: '/cache', writable: true }] }
    )
    expect(await container.exited).toBe(2)
    expect(container.output()).toContain('CORELO_AUTH')
  })

  it('has Node, the project and the libraries that Node needs, but no shell', () => {
    const programs = ['bin', 'usr/bin', 'usr/sbin', 'usr/local/bin', 'sbin'].flatMap(folder =>
      existsSync(join(image.rootfs, folder)) ? readdirSync(join(image.rootfs, folder)) : [])
    expect(programs).toEqual(['node'])
    expect(readdirSync(join(image.rootfs, 'app')).toSorted()).toEqual(['LICENSE', 'NOTICE', 'dist', 'node_modules', 'package.json'])
    expect(existsSync(join(image.rootfs, 'app/node_modules/typescript'))).toBe(false)
    expect(readdirSync(join(image.rootfs, 'var/lib/dpkg/status.d'))).toContain('libc6')
  })

  it('is small', () => {
    const { stdout } = spawnSync('du', ['-sm', image.rootfs], { encoding: 'utf8' })
    expect(Number.parseInt(stdout)).toBeLessThan(MAX_MEGABYTES)
  })
})

describe("the agent's image", () => {
  let image: Image
  beforeAll(() => { image = build('agent') }, BUILD_MS)

  it('has bpftool with all that it needs', async () => {
    const container = run({ ...image, config: { ...image.config, Entrypoint: ['/usr/sbin/bpftool'] } }, { args: ['version'] })
    expect(await container.exited, container.output()).toBe(0)
    expect(container.output()).toContain('using libbpf')
  })

  it("shows the kernel's BTF without a volume for it", async () => {
    const container = run(
      { ...image, config: { ...image.config, Entrypoint: ['/usr/local/bin/node'] } },
      { args: ['-p', "fs.readdirSync('/sys/kernel/btf').includes('vmlinux')"] }
    )
    expect(await container.exited).toBe(0)
    expect(container.output().trim()).toBe(String(existsSync('/sys/kernel/btf/vmlinux')))
  })

  it('loads and pins where a bpf file system is, with BPF and PERFMON alone', async () => {
    const folder = temporaryFolder()
    const mount = spawnSync('mount', ['-t', 'bpf', 'bpf', folder], { encoding: 'utf8' })
    expect(mount.stderr).toBe('')
    try {
      const relocated = spawnSync(
        process.execPath, ['dist/bundle/main.js', 'relocate', 'examples/exec.bpf.o', '-o', join(work, 'exec.bpf.o')],
        { cwd: ROOT, encoding: 'utf8' }
      )
      expect(relocated.status, relocated.stderr).toBe(0)
      const load = (capabilities: readonly string[]): Container => run({
        ...image, config: { ...image.config, Entrypoint: ['/usr/sbin/bpftool'] }
      }, {
        args: ['prog', 'loadall', '/objects/exec.bpf.o', '/bpffs/exec'],
        capabilities,
        mounts: [{ source: folder, destination: '/bpffs', writable: true }, { source: work, destination: '/objects' }]
      })
      const without = load([])
      expect(await without.exited).not.toBe(0)
      const allowed = load(['CAP_BPF', 'CAP_PERFMON'])
      expect(await allowed.exited, allowed.output()).toBe(0)
      expect(readdirSync(join(folder, 'exec'))).toContain('on_exec')
    } finally {
      spawnSync('umount', [folder])
    }
  })
})
