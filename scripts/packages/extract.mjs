// The BTF of a Debian package by tools that are not ours: curl, dpkg-deb, tar, the packers, objcopy.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MOST = { maxBuffer: 1024 ** 3 }
/** How each packer's data begins, and what unpacks it; `cat` for bytes behind the end, which kernels have. */
const PACKERS = [
  [Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), ['zstd', '-dcq']],
  [Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), ['xz', '-dc', '--single-stream']],
  [Buffer.from([0x02, 0x21, 0x4c, 0x18]), ['lz4', '-dcq']],
  [Buffer.from([0x1f, 0x8b, 0x08]), ['gzip', '-dcq']]
]

/** @returns `sha256:…` of the raw BTF, or a text that says what was not found */
export async function extractBtf ({ url, sha256, release }, work) {
  const folder = mkdtempSync(join(work, 'extract-'))
  try {
    const deb = join(folder, 'kernel.deb')
    const bytes = Buffer.from(await (await fetch(url)).arrayBuffer())
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) return 'the package does not have the hash of the index'
    writeFileSync(deb, bytes)
    const script = 'dpkg-deb --fsys-tarfile "$0" | tar -xO --wildcards "./boot/vmlinu[xz]-$1" 2>/dev/null || ' +
      'dpkg-deb --fsys-tarfile "$0" | tar -xO --wildcards "./usr/lib/modules/$1/vmlinu[xz]"'
    const image = spawnSync('/bin/sh', ['-c', script, deb, release], MOST).stdout
    if (image.length === 0) return 'no image in the package'
    const vmlinux = unpack(image)
    const btf = vmlinux.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')) ? fromElf(vmlinux, folder) : fromImage(vmlinux)
    return btf === undefined ? 'no BTF found' : `sha256:${createHash('sha256').update(btf).digest('hex')}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The largest that any part of the image unpacks to: what extract-vmlinux of the kernel's scripts does. */
function unpack (image) {
  let best = image
  for (const [magic, [tool, ...args]] of PACKERS) {
    for (let at = image.indexOf(magic); at >= 0; at = image.indexOf(magic, at + 1)) {
      const { stdout } = spawnSync(tool, args, { input: image.subarray(at), ...MOST })
      if (stdout !== null && stdout.length > best.length) best = stdout
      if (best.length > 4 * image.length / 3) return best
    }
  }
  return best
}

function fromElf (vmlinux, folder) {
  const [file, section] = [join(folder, 'vmlinux'), join(folder, 'btf')]
  writeFileSync(file, vmlinux)
  const { status } = spawnSync('llvm-objcopy', ['--dump-section', `.BTF=${section}`, file, '/dev/null'])
  return status === 0 ? readFileSync(section) : undefined
}

/** An Image has no sections: the longest part that begins as BTF does and that bpftool can read. */
function fromImage (image) {
  const magic = Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0])
  let best
  for (let at = image.indexOf(magic); at >= 0; at = image.indexOf(magic, at + 1)) {
    const length = 24 + image.readUInt32LE(at + 16) + image.readUInt32LE(at + 20)
    if (at + length <= image.length && length > (best?.length ?? 65_536)) best = image.subarray(at, at + length)
  }
  return best
}
