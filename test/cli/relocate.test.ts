import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseBtf } from '../../src/index.js'
import { openContentStore } from '../../src/store/content-store.js'
import { openKernelIndex } from '../../src/kernels/kernel-index.js'
import { parseReference } from '../../src/identity/reference.js'
import { sha256 } from '../../src/store/sha256.js'
import { at, btf, integers } from '../support/btf-builder.js'
import { buildObject } from '../support/object-builder.js'
import { fooSpec, targetFoo } from '../support/corpus.js'
import { corelo, EXEC, GUARDS, removeFoldersAfterEach, SAMPLE, temporaryFolder, UNGUARDED } from './corelo.js'
import { relocate } from '../support/relocate.js'

removeFoldersAfterEach()

const hasRunningBtf = existsSync('/sys/kernel/btf/vmlinux')
const REFERENCE = 'sample/1/x86_64/6.1.0-sample'

const expected = (object: string) => Buffer.from(relocate(readFileSync(object), parseBtf(readFileSync(SAMPLE))).bytes ?? [])

/** An object that libbpf would refuse: its record has a kind that does not exist. */
function refusedObject (folder: string): { object: string, target: string } {
  const spec = fooSpec()
  const { bytes } = buildObject({ ...spec, records: (spec.records ?? []).map(record => ({ ...record, kind: 13 })) })
  const object = join(folder, 'refused.bpf.o')
  const target = join(folder, 'foo.btf')
  writeFileSync(object, bytes)
  writeFileSync(target, targetFoo().bytes())
  return { object, target }
}

/** A cache as the service leaves it, with the sample kernel under the given references. */
async function cacheWith (directory: string, ...kernels: Array<{ reference: string, bytes: Uint8Array, source?: string }>): Promise<void> {
  const store = openContentStore({ directory })
  const index = await openKernelIndex({ directory })
  const at = '2026-01-01T00:00:00.000Z'
  for (const { reference, bytes, source = 'local' } of kernels) {
    await store.write('btf', sha256(bytes), bytes)
    await index.put({
      reference: parseReference(reference),
      btfSha256: sha256(bytes),
      bytes: bytes.length,
      types: 1,
      source,
      provenance: {
        by: 'test', at
      },
      firstSeen: at,
      lastUsed: at,
      modules: []
    })
  }
  await index.close()
  await store.close()
}

describe('corelo relocate', () => {
  it('judges by the release that is given beside a BTF', async () => {
    const judged = async (...more: string[]) => {
      const { code, stdout } = await corelo(['relocate', GUARDS, '--btf', SAMPLE, '--json', ...more])
      expect(code).toBe(1)
      return JSON.parse(stdout.toString())
    }
    const verdictsOf = ({ programs }: { programs: Array<{ name: string, verdict: string }> }) =>
      programs.filter(({ name }) => ['kernel_old', 'kernel_new'].includes(name)).map(({ verdict }) => verdict)
    const plain = await judged()
    expect(plain.kernel.reference).toBeNull()
    expect(verdictsOf(plain)).toEqual(['unknown', 'unknown'])
    const told = await judged('--kernel-release', '6.1.76')
    expect(told.kernel.reference).toBe('6.1.76')
    expect(told.assumes).toContain('LINUX_KERNEL_VERSION = 6.1.76')
    expect(verdictsOf(told)).toEqual(['loads', 'fails'])
  })

  it('takes a release only beside a BTF, and no release for what is none', async () => {
    const { code, stderr } = await corelo(['relocate', EXEC, '--kernel-release', '6.1.76', '--json'])
    expect(code).toBe(2)
    expect(stderr).toContain('--kernel-release goes with --btf')
    expect((await corelo(['relocate', EXEC, '--btf', SAMPLE, '--kernel-release', '../x', '--json'])).code).toBe(2)
  })

  it('writes the object that the library gives', async () => {
    const out = join(temporaryFolder(), 'out.bpf.o')
    const { code, stdout, stderr } = await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', out])
    expect({ code, stdout: stdout.length }).toEqual({ code: 0, stdout: 0 })
    expect(readFileSync(out)).toEqual(expected(EXEC))
    expect(stderr).toMatch(/^exec\.bpf\.o for .*sample\.btf: 21 resolved, 1 poisoned, \d+ instructions changed, verdict /m)
  })

  it('writes nothing but the object to standard output with -o -, and reads it from standard input', async () => {
    const { code, stdout } = await corelo(['relocate', '-', '--btf', SAMPLE, '-o', '-'], { input: readFileSync(EXEC) })
    expect(code).toBe(0)
    expect(stdout).toEqual(expected(EXEC))
  })

  it('says where in the source a value is missing', async () => {
    const { code, stderr } = await corelo(['relocate', UNGUARDED, '--btf', SAMPLE, '-o', '-'])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^unguarded\.bpf\.c:\d+: task_struct\.state: struct task_struct has no member state in this kernel\. It has __state \(instruction 0 of on_exit poisoned\)$/m
    )
    expect(stderr).toContain('    struct task_struct___new { unsigned int __state; } __attribute__((preserve_access_index));\n')
  })

  it('prints the report of the contract with --json, and no object without -o', async () => {
    const { code, stdout } = await corelo(['relocate', EXEC, '--btf', SAMPLE, '--json'])
    const report = JSON.parse(stdout.toString())
    expect(code).toBe(0)
    expect(Object.keys(report)).toEqual([
      'object', 'kernel', 'result', 'engine', 'verdict', 'assumes', 'loads_without_kernel_btf', 'counts', 'programs', 'relocations',
      'warnings'
    ])
    expect(report.object).toEqual({ sha256: sha256(readFileSync(EXEC)), bytes: statSync(EXEC).size, byte_order: 'little' })
    expect(report.kernel).toEqual({ reference: null, btf_sha256: sha256(readFileSync(SAMPLE)), build_id: null, source: 'request' })
    expect(report.result.sha256).toBe(sha256(expected(EXEC)))
    expect(report.counts).toEqual({ resolved: 21, absent: 0, poisoned: 1 })
    expect(report.relocations.reduce((sum: number, entry: { places_total: number }) => sum + entry.places_total, 0)).toBe(22)
  })

  it('writes both with --json -o FILE', async () => {
    const out = join(temporaryFolder(), 'out.bpf.o')
    const { stdout } = await corelo(['relocate', EXEC, '--btf', SAMPLE, '--json', '-o', out])
    expect(JSON.parse(stdout.toString()).result.sha256).toBe(sha256(readFileSync(out)))
  })

  it('exits with 1, names the instruction and leaves the output as it was when libbpf would refuse the object', async () => {
    const folder = temporaryFolder()
    const { object, target } = refusedObject(folder)
    const out = join(folder, 'out.bpf.o')
    writeFileSync(out, 'before')
    const { code, stdout, stderr } = await corelo(['relocate', object, '--btf', target, '-o', out, '--json'])
    expect(code).toBe(1)
    expect(stderr).toContain('(instruction 0 of a: libbpf refuses the object for it)')
    expect(readFileSync(out, 'utf8')).toBe('before')
    expect(readdirSync(folder).sort()).toEqual(['foo.btf', 'out.bpf.o', 'refused.bpf.o'])
    expect(JSON.parse(stdout.toString())).toMatchObject({ result: null, verdict: 'fails', counts: { failed: 1 } })
  })

  it('refuses an object with an instruction that may be reached without a value, where asked to', async () => {
    const out = join(temporaryFolder(), 'out.bpf.o')
    const { code, stderr } = await corelo(['relocate', UNGUARDED, '--btf', SAMPLE, '-o', out, '--on-unresolved', 'fail'])
    expect(code).toBe(1)
    expect(stderr).toContain('Nothing was written')
    expect(existsSync(out)).toBe(false)
  })

  it('looks into the split BTF of modules, given after that of vmlinux, for what vmlinux lacks', async () => {
    const folder = temporaryFolder()
    const vmlinux = btf()
    const { int } = integers(vmlinux)
    const module = btf({ base: vmlinux })
    module.struct('foo', 20, [at('x', 8, int), at('y', 16, int)])
    const files = { object: buildObject(fooSpec()).bytes, vmlinux: vmlinux.bytes(), module: module.bytes() }
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes)
    const run = async (...btfs: string[]) =>
      await corelo(['relocate', 'object', ...btfs.flatMap(name => ['--btf', name]), '--json'], { cwd: folder })

    expect(JSON.parse((await run('vmlinux', 'module')).stdout.toString()).relocations).toMatchObject([{ status: 'resolved', new: 16 }])
    expect(JSON.parse((await run('vmlinux')).stdout.toString()).relocations).toMatchObject([{ status: 'poisoned' }])
    expect(await run('module', 'vmlinux')).toMatchObject({ code: 3, stderr: expect.stringMatching(/^corelo: module: /) })
  })

  describe('output', () => {
    it('replaces a file through a link, and keeps its mode', async () => {
      const folder = temporaryFolder()
      const file = join(folder, 'real.bpf.o')
      writeFileSync(file, 'before')
      chmodSync(file, 0o600)
      symlinkSync('real.bpf.o', join(folder, 'link.bpf.o'))
      expect((await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', join(folder, 'link.bpf.o')])).code).toBe(0)
      expect(readFileSync(file)).toEqual(expected(EXEC))
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(readdirSync(folder).sort()).toEqual(['link.bpf.o', 'real.bpf.o'])
    })

    it('may be the input itself', async () => {
      const file = join(temporaryFolder(), 'x.bpf.o')
      writeFileSync(file, readFileSync(EXEC))
      expect((await corelo(['relocate', file, '--btf', SAMPLE, '-o', file])).code).toBe(0)
      expect(readFileSync(file)).toEqual(expected(EXEC))
    })

    it('writes to a device and does not replace it', async () => {
      expect((await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', '/dev/null'])).code).toBe(0)
      expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
    })

    it('says why it cannot be written', async () => {
      const folder = temporaryFolder()
      expect(await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', join(folder, 'no/such/folder.o')])).toMatchObject({
        code: 3, stderr: expect.stringContaining('there is no such file or directory')
      })
      expect(await corelo(['relocate', EXEC, '--btf', SAMPLE, '-o', folder])).toMatchObject({
        code: 3, stderr: expect.stringContaining('it is a directory')
      })
      expect(readdirSync(folder)).toEqual([])
    })
  })

  describe('wrong use', () => {
    it.each([
      [['relocate', EXEC], 'Say where the relocated object goes: -o OUT'],
      [['relocate', EXEC, '-o', '-', '--json'], 'cannot both go to standard output'],
      [['relocate', EXEC, '-o', 'x', '--on-unresolved', 'maybe'], '--on-unresolved is poison or fail, not maybe'],
      [['relocate', EXEC, '-o', 'x', '--btf', SAMPLE, '--kernel', '6.1'], 'by --kernel or by --btf'],
      [['relocate', EXEC, '-o', 'x', '--btf', SAMPLE, '--modules', 'tun'], 'as further --btf FILE'],
      [['relocate', EXEC, '-o', 'x', '--kernel', 'debian/12/x86_64'], 'this one has 3 parts'],
      [['relocate', EXEC, '-o', 'x', '--kernel', '../../etc'], 'kernel reference'],
      [['relocate', EXEC, '-o', 'x', '--kernell', '6.1'], 'did you mean --kernel?']
    ])('%j exits with 2', async (args, message) => {
      const { code, stdout, stderr } = await corelo(args)
      expect(stderr).toContain(message)
      expect(stderr.trim().split('\n')).toHaveLength(1)
      expect({ code, stdout: stdout.length }).toEqual({ code: 2, stdout: 0 })
    })
  })

  describe('cannot tell', () => {
    it.each([
      [['relocate', '/no/such.o', '-o', 'x', '--btf', SAMPLE], 'The object /no/such.o cannot be read: there is no such file'],
      [['relocate', EXEC, '-o', 'x', '--btf', '/no/such.btf'], 'The BTF file /no/such.btf cannot be read'],
      [['relocate', '/etc', '-o', 'x', '--btf', SAMPLE], 'it is a directory'],
      [['relocate', SAMPLE, '-o', 'x', '--btf', SAMPLE], 'ELF'],
      [['relocate', EXEC, '-o', 'x', '--btf', '/etc/passwd'], '/etc/passwd: '],
      [['relocate', EXEC, '-o', 'x', '--kernel', '1.2.3-nobody'], 'No BTF is known for kernel 1.2.3-nobody']
    ])('%j exits with 3', async (args, message) => {
      const { code, stdout, stderr } = await corelo(args, { env: { CORELO_CACHE_DIR: '/no/such/cache' } })
      expect(stderr).toContain(message)
      expect({ code, stdout: stdout.length }).toEqual({ code: 3, stdout: 0 })
    })
  })

  describe('kernels', () => {
    it('finds a kernel in the cache by its reference, also with another spelling of the architecture, and by its release', async () => {
      const cacheDir = temporaryFolder()
      await cacheWith(cacheDir, { reference: REFERENCE, bytes: readFileSync(SAMPLE) })
      for (const kernel of [REFERENCE, 'sample/1/amd64/6.1.0-sample', '6.1.0-sample']) {
        const { code, stdout, stderr } = await corelo(
          ['relocate', EXEC, '--kernel', kernel, '-o', '-'], { env: { CORELO_CACHE_DIR: cacheDir } }
        )
        expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(`exec.bpf.o for ${REFERENCE}: `) })
        expect(stdout).toEqual(expected(EXEC))
      }
    })

    it('never guesses between kernels of one release with different BTF', async () => {
      const cacheDir = temporaryFolder()
      await cacheWith(
        cacheDir, { reference: REFERENCE, bytes: readFileSync(SAMPLE) },
        { reference: 'other/1/x86_64/6.1.0-sample', bytes: targetFoo().bytes() }
      )
      const { code, stderr } = await corelo(
        ['relocate', EXEC, '--kernel', '6.1.0-sample', '-o', '-'], { env: { CORELO_CACHE_DIR: cacheDir } }
      )
      expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('name the whole reference') })
    })

    it('lets an upload answer for a name only where the operator trusts uploads', async () => {
      const cacheDir = temporaryFolder()
      await cacheWith(cacheDir, { reference: REFERENCE, bytes: readFileSync(SAMPLE), source: 'upload' })
      const args = ['relocate', EXEC, '--kernel', REFERENCE, '-o', '-']
      expect((await corelo(args, { env: { CORELO_CACHE_DIR: cacheDir } })).code).toBe(3)
      expect((await corelo(args, { env: { CORELO_CACHE_DIR: cacheDir, CORELO_TRUST_UPLOADS: 'true' } })).code).toBe(0)
    })

    it('says which kernels are nearest to one that it does not know', async () => {
      const cacheDir = temporaryFolder()
      await cacheWith(cacheDir, { reference: REFERENCE, bytes: readFileSync(SAMPLE) })
      const { code, stderr } = await corelo(
        ['relocate', EXEC, '--kernel', '6.1.1-sample', '-o', '-'], { env: { CORELO_CACHE_DIR: cacheDir } }
      )
      expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining(`the nearest held are ${REFERENCE}`) })
    })

    it('makes no cache where there is none', async () => {
      const folder = temporaryFolder()
      mkdirSync(join(folder, 'cwd'))
      expect((await corelo(
        ['relocate', EXEC, '--kernel', '1.2.3', '-o', '-'], { cwd: join(folder, 'cwd'), env: { CORELO_CACHE_DIR: 'btfhub-cache' } }
      )).code).toBe(3)
      expect(readdirSync(join(folder, 'cwd'))).toEqual([])
    })

    it.skipIf(!hasRunningBtf)('takes the running kernel by default, and by its release (needs /sys/kernel/btf/vmlinux)', async () => {
      const env = { CORELO_CACHE_DIR: '/no/such/cache' }
      const byDefault = await corelo(['relocate', EXEC, '-o', '-'], { env })
      expect({ code: byDefault.code, stderr: byDefault.stderr }).toEqual({ code: 0, stderr: expect.stringContaining(release()) })
      expect((await corelo(['relocate', EXEC, '-o', '-', '--kernel', release()], { env })).stdout).toEqual(byDefault.stdout)
      expect(byDefault.stdout).toEqual(Buffer.from(relocate(readFileSync(EXEC), parseBtf(readFileSync('/sys/kernel/btf/vmlinux'))).bytes ??
        []))
    })

    it.skipIf(!hasRunningBtf)('names a module that the running kernel does not have (needs /sys/kernel/btf/vmlinux)', async () => {
      expect(await corelo(['relocate', EXEC, '-o', '-', '--modules', 'no_such_module'])).toMatchObject({
        code: 3, stderr: expect.stringContaining('no BTF for module no_such_module')
      })
    })

    it.skipIf(
      !hasRunningBtf
    )('refuses a release that both the running kernel and another one in the cache have (needs /sys/kernel/btf/vmlinux)', async () => {
      const cacheDir = temporaryFolder()
      await cacheWith(cacheDir, { reference: `other/1/x86_64/${release()}`, bytes: readFileSync(SAMPLE) })
      const { code, stderr } = await corelo(['relocate', EXEC, '--kernel', release(), '-o', '-'], { env: { CORELO_CACHE_DIR: cacheDir } })
      expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('name the whole reference') })
    })
  })
})
