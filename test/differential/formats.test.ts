import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { parseSections } from '../../src/elf/sections.js'
import { unpackWhole } from '../../src/formats/decompress/decompress.js'
import { findBtf } from '../../src/formats/find-btf.js'
import { WANT_KERNEL } from '../../src/formats/find-options.js'
import type { Found } from '../../src/formats/found.js'
import { readBuildId, scanForBuildId } from '../../src/formats/images/build-id.js'
import { describeLab, EFI_STUB, labPackage, NEEDS, ROOT } from '../support/lab.js'
import { packed } from '../unit/formats/packed.js'

const MIB = 1024 * 1024

const KERNELS = ['6.1.0-57-amd64', '6.12.117+deb12-amd64']
const kernelsFolder = join(process.env['CORELO_LAB_DIR'] ?? join(ROOT, '.lab'), 'kernels')

describeLab('the build-id of Debian\'s kernels', KERNELS.map(name => NEEDS.guest(name)), () => {
  it.each(KERNELS)('%s is what readelf prints, from vmlinux, from vmlinuz, and without looking at headers', async name => {
    const vmlinux = join(kernelsFolder, name, 'vmlinux')
    const [, expected] = /Build ID: ([0-9a-f]+)/.exec(spawnSync('readelf', ['-n', vmlinux], { encoding: 'utf8' }).stdout) ?? []
    expect(expected).toMatch(/^[0-9a-f]{40}$/)
    const bytes = readFileSync(vmlinux)
    expect(readBuildId(parseSections(bytes))).toBe(expected)
    expect(scanForBuildId(bytes.subarray(4096))).toBe(expected)
    for await (const found of findBtf(readFileSync(join(kernelsFolder, name, 'vmlinuz')), 'vmlinuz')) {
      expect(found).toMatchObject({
        kind: 'vmlinux',
        evidence: { buildId: expected, release: name, kernelVersion: expect.stringMatching(/^#1 SMP PREEMPT_DYNAMIC Debian /) }
      })
    }
  })
})

describeLab('the build-id of Debian\'s kernels of other machines', ['arm64', 's390x', 'armhf'].map(name => NEEDS.package(name)), () => {
  it.each(['arm64', 's390x', 'armhf'])('%s is one that its image has only once outside of its vDSOs', async name => {
    for await (const found of findBtf(readFileSync(labPackage(name) ?? ''), name, { want: WANT_KERNEL })) {
      expect(found).toMatchObject({ evidence: { buildId: expect.stringMatching(/^[0-9a-f]{40}$/) } })
    }
  })
})

const KERNEL = [{ kind: 'vmlinux', evidence: { release: '6.1.0-50-amd64', arch: 'x86_64' }, btf: packed('vmlinux.btf') }]

async function find (bytes: Uint8Array): Promise<Found[]> {
  const found: Found[] = []
  for await (const one of findBtf(bytes, 'file')) found.push(one.kind === 'vmlinux' ? { ...one, btf: new Uint8Array(one.btf) } : one)
  return found
}

function folder (): string {
  const path = mkdtempSync(join(tmpdir(), 'corelo-images-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

describeLab('images of the real tools', [NEEDS.mkbootimg, NEEDS.efiStub], () => {
  it.each([0, 1, 2, 3])('mkbootimg, header version %s', async version => {
    const path = folder()
    writeFileSync(join(path, 'kernel'), packed('vmlinux.lz4'))
    writeFileSync(join(path, 'ramdisk'), 'ramdisk')
    const args = [
      '--kernel', join(path, 'kernel'), '--ramdisk', join(path, 'ramdisk'), '--header_version', String(version), '-o',
      join(path, 'boot.img'), ...(version === 2 ? ['--dtb', join(path, 'ramdisk')] : [])
    ]
    expect(spawnSync('mkbootimg', args, { encoding: 'utf8' })).toMatchObject({ status: 0 })
    expect(await find(readFileSync(join(path, 'boot.img')))).toMatchObject(KERNEL)
  })

  it('objcopy onto the stub of systemd', async () => {
    const path = folder()
    writeFileSync(join(path, 'kernel'), packed('vmlinux.gz'))
    const args = [
      '--add-section', `.linux=${join(path, 'kernel')}`, '--change-section-vma', '.linux=0x2000000', EFI_STUB, join(path, 'uki.efi')
    ]
    expect(spawnSync('objcopy', args, { encoding: 'utf8' })).toMatchObject({ status: 0 })
    expect(await find(readFileSync(join(path, 'uki.efi')))).toMatchObject(KERNEL)
  })
})

describeLab("lz4's frame as the tool writes it", [NEEDS.lz4], () => {
  const text = Buffer.from(Array
    .from({ length: 60_000 }, (_, i) => `struct member_${i * 2_654_435_761 % 9973} { int x${i % 77}; };\n`)
    .join(''))

  it.each([
    ['-B4', '-BD'], ['-B4', '-BI'], ['-B7', '-9'], ['-B5', '-BX', '--content-size'], ['-B4', '-BD', '--no-frame-crc'], ['-l']
  ])('%s %s', async (...options) => {
    const { stdout } = spawnSync(
      'lz4', ['-q', ...options.filter(option => typeof option === 'string'), '-c'], { input: text, maxBuffer: 16 * MIB }
    )
    expect(Buffer.from(await unpackWhole('lz4', stdout, 16 * MIB)).equals(text)).toBe(true)
  })
})
