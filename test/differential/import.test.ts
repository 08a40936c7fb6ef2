import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { describeLab, labPackage, NEEDS, PATHS, ROOT, scratchFolder } from '../support/lab.js'

interface Imported {
  readonly kernels: ReadonlyArray<{
    readonly reference: string,
    readonly btf_sha256: string,
    readonly types: number,
    readonly modules: { readonly new: number }
  }>
  readonly not_imported: ReadonlyArray<{ readonly place: string, readonly reason: string, readonly count: number }>
}

interface Listed {
  readonly kernels: ReadonlyArray<{
    readonly reference: string
    readonly provenance: { readonly kernel_version: string }
    readonly modules: ReadonlyArray<{ readonly name: string, readonly btf_sha256: string }>
  }>
}

const scratch = scratchFolder()

function corelo (args: readonly string[], cache: string): { status: number | null, json: unknown } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath, [join(ROOT, 'dist/bundle/main.js'), ...args, '--json', '--cache-dir', cache],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }
  )
  if (stdout === '') throw new Error(stderr)
  return { status, json: JSON.parse(stdout) }
}

/** Unpacks parts of a package with Debian's own tools. */
function unpack (deb: string, patterns: readonly string[]): string {
  const folder = join(scratch, basename(deb, '.deb'))
  mkdirSync(folder, { recursive: true })
  execFileSync('/bin/bash', [
    '-c', 'set -o pipefail; deb=$1; folder=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$folder" --wildcards "$@"', 'bash', deb,
    folder, ...patterns
  ])
  return folder
}

function section (elf: string, name: string): Buffer {
  const out = join(scratch, 'section.bin')
  execFileSync('llvm-objcopy', ['-O', 'binary', `--only-section=${name}`, `--set-section-flags=${name}=alloc`, elf, out])
  return readFileSync(out)
}

/** How many types bpftool sees. */
function typesSeen (btf: string, base?: string): number {
  const dump = execFileSync(
    'bpftool', [...(base === undefined ? [] : ['-B', base]), 'btf', 'dump', 'file', btf],
    { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024, env: PATHS }
  )
  return dump.match(/^\[\d+\]/gm)?.length ?? 0
}

const stored = (cache: string, hash: string): string => join(cache, 'content/btf', hash.slice(7, 9), hash.slice(7))

/** Four thousand modules take twenty seconds, and several times that on a busy machine. */
const TIMEOUT_MS = 900_000

/** Packages with BTF: how the image is packed, and how many modules at least have it. */
const WITH_BTF = [
  { name: 'cloud', packing: 'lz4', modules: 1000, arch: 'x86_64' },
  { name: '6.1', packing: 'xz', modules: 3900, arch: 'x86_64' },
  { name: 'rt', packing: 'xz', modules: 3900, arch: 'x86_64' },
  { name: '6.12', packing: 'zstd', modules: 4100, arch: 'x86_64' },
  { name: 'arm64', packing: 'none', modules: 900, arch: 'arm64' }
] as const

describe('kernel packages of Debian', () => {
  for (const { name, packing, modules, arch } of WITH_BTF) {
    describeLab(`${name}, its image packed with ${packing}`, [NEEDS.package(name), NEEDS.bpftool], () => {
      it('is imported with its modules, and the BTF is what Debian\'s and the kernel\'s own tools take out', () => {
        const deb = labPackage(name) ?? ''
        const cache = join(scratch, `cache-${name}`)
        const { status, json } = corelo(['btf', 'import', deb], cache)
        const { kernels: [kernel], not_imported: failures } = json as Imported
        expect(failures).toEqual([])
        expect(status).toBe(0)
        const release = kernel?.reference.split('/')[3] ?? ''
        expect(kernel?.reference).toBe(`debian/12/${arch}/${release}`)
        expect(basename(deb)).toContain(release)
        expect(kernel?.modules.new).toBeGreaterThan(modules)

        const folder = unpack(deb, ['./boot/vmlinuz-*', './lib/modules/*/kernel/fs/*', './lib/modules/*/kernel/net/*'])
        const ours = stored(cache, kernel?.btf_sha256 ?? '')
        if (packing !== 'none') {
          execFileSync(process.execPath, [
            join(ROOT, 'test/lab/extract-vmlinux.mjs'), join(folder, 'boot', `vmlinuz-${release}`), join(scratch, 'lab.btf'),
            join(scratch, 'vmlinux')
          ])
          expect(sha256(section(join(scratch, 'vmlinux'), '.BTF'))).toBe(kernel?.btf_sha256)
        }
        expect(typesSeen(ours)).toBe(kernel?.types)

        const { kernels: [listed] } = corelo(['btf', 'list'], cache).json as Listed
        const banner = spawnSync(
          'strings', ['-n', '20', packing === 'none' ? join(folder, 'boot', `vmlinuz-${release}`) : join(scratch, 'vmlinux')],
          { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 }
        ).stdout
        expect(banner).toContain(listed?.provenance.kernel_version ?? 'no version')
        const held = new Map(listed?.modules.map(module => [module.name, module.btf_sha256]))
        const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => /\.ko(\.xz)?$/.test(file)).filter((_, i) =>
          i % 9 === 0)
        expect(files.length).toBeGreaterThan(20)
        for (const file of files) {
          const module = basename(file).replace(/\.ko(\.xz)?$/, '').replaceAll('-', '_')
          const plain = join(scratch, 'module.ko')
          writeFileSync(plain, file.endsWith('.xz')
            ? execFileSync('xz', ['-dc', join(folder, file)], { maxBuffer: 256 * 1024 * 1024 })
            : readFileSync(join(folder, file)))
          expect(sha256(section(plain, '.BTF')), module).toBe(held.get(module))
        }
        expect(typesSeen(stored(cache, held.get('ext4') ?? held.get('nfs') ?? ''), ours)).toBeGreaterThan(100)
      }, TIMEOUT_MS)

      it.runIf(name === 'cloud')('is held already when it is imported again', () => {
        const { status, json } = corelo(['btf', 'import', '--modules', 'none', labPackage(name) ?? ''], join(scratch, `cache-${name}`))
        expect(status).toBe(0)
        expect(json).toMatchObject({ kernels: [{ state: 'held' }], not_imported: [] })
      })
    })
  }

  for (const name of ['armhf', 'i386', 's390x']) {
    describeLab(`${name}, whose kernels have no BTF`, [NEEDS.package(name)], () => {
      it('is answered with exactly that', () => {
        const { status, json } = corelo(['btf', 'import', labPackage(name) ?? ''], join(scratch, `cache-${name}`))
        const { kernels, not_imported: failures } = json as Imported
        expect(status).toBe(3)
        expect(kernels).toEqual([])
        expect(failures.find(({ place }) => place.includes('/boot/') || place.includes(': boot/'))?.reason).toBe(
          'This kernel was built without BTF (no CONFIG_DEBUG_INFO_BTF).'
        )
        expect(failures.filter(({ place }) => place.includes('.ko'))).toMatchObject([
          { reason: 'This module was built without BTF (no CONFIG_DEBUG_INFO_BTF_MODULES).' }
        ])
      }, TIMEOUT_MS)
    })
  }
})
