import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { GENERATED_KEY_FILE } from '../../src/keys/key-file.js'
import { contentPath } from '../../src/store/content-path.js'
import { sha256 } from '../../src/store/sha256.js'
import { cleanUpAfterAll, DEAD_ADDRESS, putKernel, startService, type Service } from '../agent/support.js'
import { startLoopbackServer } from '../support/loopback-server.js'
import { at, btf, integers } from '../support/btf-builder.js'
import { buildObject } from '../support/object-builder.js'
import { corelo, coreloText, EXEC, MAIN, removeFoldersAfterEach, SAMPLE, temporaryFolder, UNGUARDED } from './corelo.js'

removeFoldersAfterEach()
const cleanup = cleanUpAfterAll()

/** A distribution that no machine runs: the running kernel must not come between. */
const ACME = 'acme/1/x86_64'

/** A cache with kernels of one BTF. */
async function cacheWith (...releases: readonly string[]): Promise<{
  readonly folder: string
  readonly env: { readonly CORELO_CACHE_DIR: string }
}> {
  const folder = temporaryFolder()
  const cache = join(folder, 'cache')
  for (const release of releases) {
    const named = ['--distro', 'acme', '--distro-version', '1', '--arch', 'x86_64', '--release', release]
    expect(await corelo(['btf', 'import', SAMPLE, ...named, '--cache-dir', cache])).toMatchObject({ code: 0 })
  }
  return { folder, env: { CORELO_CACHE_DIR: cache } }
}

describe('corelo check', () => {
  it('groups kernels by outcome and explains what fails as a compiler would', async () => {
    const { env } = await cacheWith('6.1.0-1', '6.1.0-2')
    const { code, stdout, stderr } = await corelo(['check', EXEC, UNGUARDED, '--kernels', `${ACME}/*`], { env })
    expect([code, stdout.toString()]).toEqual([1, ''])
    expect(stderr).toMatch(/^fails +unguarded\.bpf\.o +2 +acme\/1\/x86_64\/6\.1\.0-1, acme\/1\/x86_64\/6\.1\.0-2$/m)
    expect(stderr).toMatch(/^loads +exec\.bpf\.o +2 +/m)
    expect(stderr).toContain(
      'unguarded.bpf.c:22: task_struct.state: struct task_struct has no member state in this kernel. It has __state (instruction 0 of ' +
        'on_exit)'
    )
    expect(stderr).toContain('struct task_struct___new { unsigned int __state; }')
    expect(stderr).toMatch(/2 loads, 2 fails: fails\n$/)
  })

  it('says by its exit code what was found', async () => {
    const { folder, env } = await cacheWith('6.1.0-1')
    const code = async (...args: readonly string[]): Promise<number | null> => (await corelo(['check', ...args], { env })).code
    expect(await code(EXEC, '--kernels', `${ACME}/*`)).toBe(0)
    expect(await code(UNGUARDED, '--kernels', `${ACME}/*`)).toBe(1)
    expect(await code(EXEC)).toBe(2)
    expect(await code(EXEC, '--kernels', 'a b')).toBe(2)
    expect(await code(EXEC, '--kernels', '*', '--fetch')).toBe(2)
    expect(await code(EXEC, '--kernels', `${ACME}/*`, '--kernels', 'acme/2/x86_64/*')).toBe(3)
    expect(await code(join(folder, 'nothing.o'), '--kernels', '*')).toBe(3)
    expect(await code(SAMPLE, '--kernels', '*')).toBe(3)
    expect((await coreloText(['check', EXEC, '--kernels', '*', '--server', DEAD_ADDRESS])).code).toBe(3)
  })

  it('names every object that cannot be read, a line each', async () => {
    const { folder, env } = await cacheWith('6.1.0-1')
    const [cut, text] = [join(folder, 'cut.bpf.o'), join(folder, 'text.bpf.o')]
    writeFileSync(cut, readFileSync(EXEC).subarray(0, 200))
    writeFileSync(text, 'no ELF')
    const { code, stderr } = await corelo(['check', cut, EXEC, text, '--kernels', `${ACME}/*`], { env })
    expect(code).toBe(3)
    expect(stderr).toMatch(/^corelo: 2 objects cannot be read:\ncut\.bpf\.o: .+\ntext\.bpf\.o: .*not ELF.*\n$/)
  })

  it('names every file that is not there, before anything is asked of a service', async () => {
    for (const there of [[], ['--server', DEAD_ADDRESS]]) {
      const { code, stderr } = await coreloText(['check', '/no/a.bpf.o', EXEC, '/no/b.bpf.o', '--kernels', '*', ...there])
      expect(code).toBe(3)
      expect(stderr).toMatch(/^corelo: 2 objects cannot be read:\n.* \/no\/a\.bpf\.o .*no such file.*\n.* \/no\/b\.bpf\.o .*\n$/)
    }
  })

  it('says of a kernel once that it is not known, however many objects there are', async () => {
    const { env } = await cacheWith('6.1.0-1')
    const { code, stderr } = await corelo(['check', EXEC, UNGUARDED, '--kernels', 'acme/2/x86_64/*'], { env })
    expect(code).toBe(3)
    expect(stderr.match(/^.* on acme\/2\/x86_64\/\*: .*$/gm)).toEqual([
      'exec.bpf.o, unguarded.bpf.o on acme/2/x86_64/*: unknown kernel: no BTF of it can be had'
    ])
  })

  it('says what was found also where nobody reads its answer to the end', async () => {
    const { env } = await cacheWith('6.1.0-1')
    const child = spawn(process.execPath, [MAIN, 'check', UNGUARDED, '--kernels', `${ACME}/*`, '--json'], {
      env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore']
    })
    child.stdout.destroy()
    expect(await once(child, 'close')).toEqual([1, null])
  })

  it('warns of objects that pass because there is nothing to relocate in them', async () => {
    const { folder, env } = await cacheWith('6.1.0-1')
    const [relocated, untyped] = [join(folder, 'relocated.bpf.o'), join(folder, 'untyped.bpf.o')]
    expect(await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', relocated])).toMatchObject({ code: 0 })
    const exit = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)
    const programs = [{ section: 'kprobe/x', name: 'p', code: exit }]
    writeFileSync(untyped, buildObject({ local: btf(), btf: null, btfExt: null, programs }).bytes)
    const { code, stderr } = await corelo(['check', relocated, untyped, EXEC, '--kernels', `${ACME}/*`], { env })
    expect(code).toBe(0)
    const { stdout } = await corelo(['check', relocated, EXEC, '--kernels', `${ACME}/*`, '--json'], { env })
    expect(JSON.parse(stdout.toString())).toMatchObject({ warnings: [{ object_name: 'relocated.bpf.o', code: 'already_relocated' }] })
    expect(stderr).toMatch(/^warning: relocated\.bpf\.o: The object was relocated before: /m)
    expect(stderr).toMatch(/^warning: untyped\.bpf\.o: The object has no CO-RE relocations /m)
    expect(stderr).not.toContain('warning: exec.bpf.o')
    expect((await corelo(['inspect', relocated])).stderr).toMatch(/^warning: relocated\.bpf\.o: The object was relocated before: /)
  })

  it('calls objects of one file name by as much of their paths as tells them apart', async () => {
    const { folder, env } = await cacheWith('6.1.0-1')
    const paths = ['a', 'b'].map(name => join(folder, 'build', name, 'x.bpf.o'))
    for (const [i, path] of paths.entries()) {
      mkdirSync(dirname(path), { recursive: true })
      copyFileSync(i === 0 ? EXEC : UNGUARDED, path)
    }
    const { stderr } = await corelo(['check', ...paths, '--kernels', `${ACME}/*`], { env })
    expect(stderr).toMatch(/^loads +a\/x\.bpf\.o +1 /m)
    expect(stderr).toMatch(/^fails +b\/x\.bpf\.o +1 /m)
  })

  it('makes no cache where there is none', async () => {
    const cache = join(temporaryFolder(), 'cache')
    expect(await corelo(['check', EXEC, '--kernels', `${ACME}/*`], { env: { CORELO_CACHE_DIR: cache } })).toMatchObject({ code: 3 })
    expect(existsSync(cache)).toBe(false)
  })

  describe('in the cache folder of a service', () => {
    /** So many types that the BTF is worth an index. */
    const STRUCTS = 8000
    const NAME = `struct_${STRUCTS / 2}`
    const kernel = ((): Uint8Array => {
      const b = btf()
      const { int } = integers(b)
      for (let i = 0; i < STRUCTS; i++) b.struct(`struct_${i}`, 8, [at(`member_${i}`, 0, int), at(`other_${i}`, 4, int)])
      return b.bytes()
    })()

    function objectFile (): string {
      const local = btf()
      const { int } = integers(local)
      const typeId = local.struct(NAME, 8, [at(`member_${STRUCTS / 2}`, 4, int)])
      const records = [{ section: 'kprobe/x', insnOff: 0, typeId, access: '0:0', kind: 'byte_off' as const }]
      const code = Uint8Array.of(0xb7, 1, 0, 0, 4, 0, 0, 0, 0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)
      const path = join(temporaryFolder(), 'x.bpf.o')
      writeFileSync(path, buildObject({ local, programs: [{ section: 'kprobe/x', name: 'p', code }], records }).bytes)
      return path
    }

    it('reads what the object asks for, as long as nobody else can have made what tells where that is', async () => {
      const folder = temporaryFolder()
      const { url, stop } = await startService(cleanup, { folder, hasSample: false })
      await putKernel(url, `${ACME}/6.1.0-1`, kernel)
      const cache = join(folder, 'cache')
      const index = contentPath(cache, 'index', sha256(kernel))
      await expect.poll(() => existsSync(index)).toBe(true)
      await stop()
      const elsewhere = Math.floor(0.95 * kernel.length) // among names that the object does not ask for
      writeFileSync(contentPath(cache, 'btf', sha256(kernel)), kernel.map((byte, i) => i === elsewhere ? byte ^ 1 : byte))
      const args = ['check', objectFile(), '--kernels', `${ACME}/*`]
      const env = { CORELO_CACHE_DIR: cache, CORELO_TRUST_UPLOADS: 'true' }
      expect(await corelo(args, { env })).toMatchObject({ code: 0, stderr: expect.stringContaining('1 loads: passes') })
      await rm(join(cache, GENERATED_KEY_FILE))
      expect(await corelo(args, { env })).toMatchObject({ code: 3, stderr: expect.stringContaining('1 unknown_kernel: undecided') })
    })

    it('changes nothing there', async () => {
      const { folder, env } = await cacheWith('6.1.0-1')
      const left = `${contentPath(join(folder, 'cache'), 'btf', sha256(readFileSync(SAMPLE)))}.a1b2c3.tmp`
      writeFileSync(left, 'of a process that was killed')
      utimesSync(left, 0, 0)
      const before = readdirSync(folder, { recursive: true })
      expect(await corelo(['check', EXEC, '--kernels', `${ACME}/*`], { env })).toMatchObject({ code: 0 })
      expect(readdirSync(folder, { recursive: true })).toEqual(before)
    })
  })

  it('writes each form of the answer, and takes its own JSON as the baseline', async () => {
    const { folder, env } = await cacheWith('6.1.0-1')
    const [junit, sarif, html, list, earlier] = ['junit.xml', 'check.sarif', 'check.html', 'kernels', 'earlier.json'].map(name =>
      join(folder, name)) as [string, string, string, string, string]
    writeFileSync(list, `# the fleet\n${ACME}/6.1*  # newest\n\n`)
    const first = await corelo(
      ['check', UNGUARDED, '--kernels-file', list, '--json', '--junit', junit, '--sarif', sarif, '--html', html], { env }
    )
    expect(first.code).toBe(1)
    expect(JSON.parse(first.stdout.toString())).toMatchObject({
      rows: [{ object_name: 'unguarded.bpf.o', kernel: `${ACME}/6.1.0-1`, state: 'fails' }], summary: { verdict: 'fails' }
    })
    expect(readFileSync(junit, 'utf8')).toContain('<failure type="fails"')
    expect(JSON.parse(readFileSync(sarif, 'utf8'))).toMatchObject({ version: '2.1.0', runs: [{ results: [{ ruleId: 'field_missing' }] }] })
    expect(readFileSync(html, 'utf8')).toMatch(/^<!doctype html>[\s\S]*unguarded\.bpf\.c:22/)
    writeFileSync(earlier, first.stdout)
    const again = await corelo(['check', UNGUARDED, EXEC, '--kernels-file', list, '--baseline', earlier, '--json'], { env })
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('1 as in the baseline: passes') })
    expect(JSON.parse(again.stdout.toString()).summary).toMatchObject({ verdict: 'passes', baseline: { same: 1, changed: 0, new: 1 } })
  })

  describe('--server', () => {
    let service: Service
    beforeAll(async () => { service = await startService(cleanup) })

    it('gives the same rows as without a service', async () => {
      const { env } = await cacheWith('6.1.0-1')
      const put = await fetch(
        `${service.url}/kernels/${ACME}/6.1.0-1/btf`,
        { method: 'PUT', body: readFileSync(SAMPLE), headers: { 'content-type': 'application/octet-stream' } }
      )
      expect(put.ok).toBe(true)
      const args = ['check', EXEC, UNGUARDED, '--kernels', `${ACME}/*`, '--json']
      const here = await corelo(args, { env })
      const there = await coreloText([...args, '--server', service.url])
      const rowsOf = (text: string): unknown[] =>
        (JSON.parse(text) as { rows: Array<{ object: string }> }).rows.sort((a, b) => a.object < b.object ? -1 : 1)
      expect(there.code).toBe(1)
      expect(rowsOf(there.stdout)).toEqual(rowsOf(here.stdout.toString()))
    })

    it('warns of what the service warns of, in each form of the answer', async () => {
      const folder = temporaryFolder()
      const [relocated, html] = [join(folder, 'relocated.bpf.o'), join(folder, 'check.html')]
      await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', relocated])
      const args = ['check', relocated, EXEC, '--kernels', `${ACME}/*`, '--json', '--html', html, '--server', service.url]
      const { stdout, stderr } = await coreloText(args)
      expect(JSON.parse(stdout)).toMatchObject({ warnings: [{ object_name: 'relocated.bpf.o', code: 'already_relocated' }] })
      expect(stderr.match(/^warning: .*$/mg)).toEqual([expect.stringMatching(/relocated\.bpf\.o: The object was relocated before: /)])
      expect(readFileSync(html, 'utf8')).toContain('Warning: The object was relocated before')
    })

    it('believes the service, also where it warns of nothing or of something new', async () => {
      const row = { kernel: 'a/1/x86_64/1', state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 }
      const sha = sha256(readFileSync(EXEC))
      const summary = { verdict: 'passes', rows: 1, states: { loads: 1 } }
      const warning = { object: sha, object_name: 'x', code: 'strange', message: 'It is strange.' }
      const ends = [[{ summary }, null], [{ summary, warnings: [warning] }, ['warning: exec.bpf.o: It is strange.']]] as const
      for (const [end, warned] of ends) {
        const { url } = await startLoopbackServer((_, response) => {
          response.writeHead(200, { 'content-type': 'application/x-ndjson' })
          response.end([{ object: sha, object_name: 'x', ...row }, end].map(line => `${JSON.stringify(line)}\n`).join(''))
        })
        const { code, stderr } = await coreloText(['check', EXEC, '--kernels', '*', '--server', url])
        expect([code, stderr.match(/^warning: .*$/mg)]).toEqual([0, warned])
      }
    })

    it('sends lists of kernels that are longer than a part of a form', async () => {
      const list = join(temporaryFolder(), 'kernels')
      await writeFile(list, Array.from({ length: 3000 }, (_, i) => `acme/9/x86_64/6.1.0-${i}\n`).join(''))
      const { code, stdout } = await coreloText(['check', EXEC, '--kernels-file', list, '--json', '--server', service.url])
      expect([code, JSON.parse(stdout).summary.states.unknown_kernel]).toEqual([3, 3000])
    })
  })
})
