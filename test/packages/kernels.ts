import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { LAB, labPackage } from '../support/lab.js'

/** A kernel of the lab, unpacked by tools that are not ours. */
export interface LabKernel {
  readonly release: string
  /** `uname -v`, as its banner has it. */
  readonly kernelVersion: string
  readonly vmlinux: Buffer
  readonly vmlinuz: Buffer
  /** Raw BTF as objcopy takes it from vmlinux. */
  readonly btf: Buffer
}

export function readLabKernel (series: '6.1' | '6.12', scratch: string): LabKernel {
  const folder = join(LAB, 'kernels', series)
  const vmlinux = readFileSync(join(folder, 'vmlinux'))
  const section = join(scratch, `${series}.btf`)
  execFileSync('objcopy', ['--dump-section', `.BTF=${section}`, join(folder, 'vmlinux'), '/dev/null'])
  const [, release = '', kernelVersion = ''] = /Linux version (\S+) \([^\n]*(#\d[^\n]*)\n/.exec(vmlinux.toString('latin1')) ?? []
  return { release, kernelVersion, vmlinux, vmlinuz: readFileSync(join(folder, 'vmlinuz')), btf: readFileSync(section) }
}

const BANNER = Buffer.from('Linux version ')

/** The same kernel under the name of another: its banner says the other release, in the room that it has, and it is packed anew. */
export function renameKernel (kernel: LabKernel, release: string, scratch: string): Buffer {
  const vmlinux = Buffer.from(kernel.vmlinux)
  for (let at = vmlinux.indexOf(BANNER); at >= 0; at = vmlinux.indexOf(BANNER, at + 1)) {
    const end = vmlinux.indexOf(0, at)
    const banner = vmlinux.toString('latin1', at, end)
    const tail = /(#\d?.*)\n$/.exec(banner)?.[1]
    if (tail === undefined || !banner.includes(`${kernel.release} (`)) continue
    const renamed = `Linux version ${release} (b) (c) ${tail}\n`
    if (renamed.length > banner.length) throw new Error(`The banner has no room for ${release}.`)
    vmlinux.fill(0, at, end)
    vmlinux.write(renamed, at, 'latin1')
  }
  return packKernel(kernel.vmlinuz, vmlinux, scratch)
}

/** @see https://docs.kernel.org/arch/x86/boot.html: where the payload is, counted from the end of the setup sectors */
function packKernel (image: Buffer, vmlinux: Buffer, scratch: string): Buffer {
  const setup = ((image.readUInt8(0x1f1) || 4) + 1) * 512
  const start = setup + image.readUInt32LE(0x248)
  const plain = join(scratch, 'vmlinux.renamed')
  writeFileSync(plain, vmlinux)
  const payload = execFileSync('zstd', ['-1', '-q', '-c', plain], { maxBuffer: 256 * 1024 * 1024 })
  const packed = Buffer.concat([image.subarray(0, start), payload])
  packed.writeUInt32LE(payload.length, 0x24c)
  return packed
}

/** A file of one of the lab's Debian packages. */
export function readFromDeb (deb: string, path: string): Buffer {
  return execFileSync('/bin/sh', ['-c', 'dpkg-deb --fsys-tarfile "$0" | tar -xO "$1"', deb, path], { maxBuffer: 512 * 1024 * 1024 })
}

/** The lab's kernel for arm64, whose image is not packed, and its release: whichever Debian has at the moment. */
export function readArm64Kernel (): { readonly release: string, readonly image: Buffer } {
  const deb = labPackage('arm64') ?? ''
  const release = /linux-image-(.+?)(?:-unsigned)?_/.exec(basename(deb))?.[1]
  if (release === undefined) throw new Error(`The name of ${deb} has no release.`)
  return { release, image: readFromDeb(deb, `./boot/vmlinuz-${release}`) }
}

/** The BTF in an image that is not packed, by its header: magic, version 1, 24 bytes, types from 0. */
export function btfIn (image: Buffer): Buffer {
  const header = Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0])
  const at = image.indexOf(header)
  const length = 24 + image.readUInt32LE(at + 16) + image.readUInt32LE(at + 20)
  if (at < 0 || length < 1_000_000) throw new Error('The image has no BTF that is a kernel\'s.')
  return image.subarray(at, at + length)
}

export interface Repacked {
  /** Where it goes below the root of a file system. */
  readonly files: Readonly<Record<string, Uint8Array>>
  readonly name: string
  readonly version: string
  readonly arch: string
  /** Of a Debian package: what it was made of. */
  readonly source?: string | undefined
}

/** Makes a Debian package with dpkg-deb. */
export function makeDeb ({
  files, name, version, arch, source
}: Repacked, folder: string, scratch: string, packing: 'xz' | 'zstd' | 'gzip' = 'xz'): string {
  const root = join(scratch, 'deb-root', `${name}_${version}`)
  writeFiles(root, files)
  mkdirSync(join(root, 'DEBIAN'), { recursive: true })
  writeFileSync(
    join(root, 'DEBIAN/control'),
    `Package: ${name}\n${source === undefined ? '' : `Source: ${source}\n`}Version: ${version}\nArchitecture: ${arch}\n` +
      'Maintainer: Lab <lab@example.org>\nDescription: a kernel\n'
  )
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name}_${version}_${arch}.deb`)
  execFileSync('dpkg-deb', [`-Z${packing}`, '-z1', '--build', '--root-owner-group', root, path], { stdio: 'ignore' })
  return path
}

/** Makes an RPM package with rpmbuild. `version` is version and release, with a dash between them. */
export function makeRpm ({ files, name, version, arch }: Repacked, folder: string, scratch: string, payload = 'w1.zstdio'): string {
  const root = join(scratch, 'rpm-root', `${name}-${version}`)
  writeFiles(root, files)
  const dash = version.indexOf('-')
  const spec = join(scratch, `${name}.spec`)
  writeFileSync(
    spec,
    `Name: ${name}\nVersion: ${version.slice(0, dash)}\nRelease: ${version.slice(dash + 1)}\nSummary: a kernel\nLicense: GPL-2.0-only\n` +
      `AutoReqProv: no\n%description\nA kernel.\n%install\ncp -a ${root}/. %{buildroot}\n%files\n` +
      `${Object.keys(files).map(path => `/${path}`).join('\n')}\n`
  )
  const macros = [
    `_rpmdir ${folder}`, `_topdir ${scratch}/rpmbuild`, `_binary_payload ${payload}`, '_build_id_links none',
    '__os_install_post %{nil}', 'debug_package %{nil}', '__strip /bin/true'
  ]
  execFileSync('rpmbuild', ['-bb', '--quiet', '--target', arch, ...macros.flatMap(macro => ['--define', macro]), spec], {
    stdio: ['ignore', 'ignore', 'pipe']
  })
  return join(folder, arch, `${name}-${version}.${arch}.rpm`)
}

function writeFiles (root: string, files: Readonly<Record<string, Uint8Array>>): void {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), bytes)
  }
}

export function sha256Of (bytes: Uint8Array): string { return `sha256:${createHash('sha256').update(bytes).digest('hex')}` }
