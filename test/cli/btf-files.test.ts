import { spawnSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { packed } from '../unit/formats/packed.js'
import { corelo, EXEC, MAIN, removeFoldersAfterEach, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const PACKED = join(import.meta.dirname, '../fixtures/extraction/packed')

describe('--btf FILE', () => {
  it.each([
    'vmlinux.btf', 'vmlinux', 'vmlinux.gz', 'vmlinux.lz4', '5.4.0-42-generic.btf.tar.xz', 'linux-image.xz.deb', 'linux-image.lz4.deb'
  ])('is the BTF in %s, whatever it came in', async name => {
    const { stdout, code } = await corelo(['relocate', EXEC, '--btf', join(PACKED, name), '--json'])
    expect([0, 1]).toContain(code)
    expect(JSON.parse(stdout.toString())).toMatchObject({ kernel: { btf_sha256: sha256(packed('vmlinux.btf')) } })
  })

  it.each([
    [EXEC, /exec\.bpf\.o: The file is an eBPF object \(machine 247\)/],
    [join(PACKED, 'snd-demo.ko'), /snd-demo\.ko: This is the kernel module snd_demo\. Its BTF extends that of its kernel/],
    [join(PACKED, 'vmlinux.nobtf'), /vmlinux\.nobtf: This kernel was built without BTF/],
    [join(PACKED, 'vmlinux.debug'), /vmlinux\.debug: The file is a kernel with DWARF and no BTF/],
    [import.meta.filename, /btf-files\.test\.ts: The file has no known format/]
  ])('says what %s is instead, and which file it was', async (path, message) => {
    const { code, stderr } = await corelo(['relocate', EXEC, '--btf', path, '--json'])
    expect(code).toBe(3)
    expect(stderr).toMatch(message)
  })

  it('given again is the BTF of a module, as its file has it', async () => {
    const { stdout, code } = await corelo([
      'relocate', EXEC, '--btf', join(PACKED, 'vmlinux'), '--btf', join(PACKED, 'snd-demo.ko'), '--json'
    ])
    expect([0, 1]).toContain(code)
    expect(JSON.parse(stdout.toString())).toHaveProperty('result')
  })
})

describe('an object that cannot be read', () => {
  it.each(['relocate', 'inspect'])('is named by corelo %s', async command => {
    const path = join(temporaryFolder(), 'broken.bpf.o')
    copyFileSync(join(PACKED, 'vmlinux.gz'), path)
    const { code, stderr } = await corelo([command, path, ...command === 'relocate' ? ['--json'] : []])
    expect(code).toBe(3)
    expect(stderr).toContain(`${path}: The file is not ELF`)
  })

  // Projects commit empty files in the place of objects that their build makes.
  it.each(['relocate', 'inspect'])('is called empty by corelo %s where nothing is in it', async command => {
    const path = join(temporaryFolder(), 'empty.bpf.o')
    writeFileSync(path, '')
    const { code, stderr } = await corelo([command, path, ...command === 'relocate' ? ['--json'] : []])
    expect([code, stderr]).toEqual([3, expect.stringContaining(`${path}: The file is empty.`)])
  })
})

describe('a file without an end', () => {
  it.each([
    ['relocate', ['relocate', '/dev/zero', '--json'], 'object /dev/zero'],
    ['relocate --btf', ['relocate', EXEC, '--btf', '/dev/zero', '--json'], 'BTF file /dev/zero'],
    ['check', ['check', '/dev/zero', '--kernels', '*'], 'object /dev/zero'],
    ['inspect', ['inspect', '/dev/zero'], 'object /dev/zero']
  ])('is read by corelo %s no further than to where it is too large', async (_what, args, name) => {
    expect(await corelo(args)).toMatchObject({
      code: 3, stderr: expect.stringContaining(`The ${name} has more than 268435456 bytes, which are the most that are read.`)
    })
  })

  it('is not read by corelo btf import', async () => {
    const run = await corelo(['btf', 'import', '/dev/zero'], { env: { CORELO_CACHE_DIR: temporaryFolder() } })
    expect(run).toMatchObject({ code: 3, stderr: expect.stringContaining('/dev/zero cannot be read: it is a device or a pipe') })
  })

  it('may be standard input', async () => {
    const { status: code, stderr } = spawnSync('sh', ['-c', '"$0" "$1" inspect - </dev/zero', process.execPath, MAIN], { encoding: 'utf8' })
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('The object of standard input has more than') })
  })

  it('that says no size is read whole where it has an end', async () => {
    const { status, stdout } = spawnSync('sh', ['-c', 'cat "$2" | "$0" "$1" inspect --json /dev/stdin', process.execPath, MAIN, EXEC])
    expect(status).toBe(0)
    expect(JSON.parse(stdout.toString())).toEqual(JSON.parse((await corelo(['inspect', '--json', EXEC])).stdout.toString()))
  })
})
