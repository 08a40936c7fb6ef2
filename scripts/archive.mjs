// Kernels for scripts that need many of them: BTF of their own out of one, packed as BTFHub packs it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** struct btf_header: the last two fields place the strings, which lie at the end of all BTF that compilers and pahole make. */
const STR_OFF = 16
const STR_LEN = 20

/**
 * The BTF with more in its strings, which no type uses: other content, same layout of every struct.
 *
 * @param {Buffer} btf raw, little-endian, its strings last
 * @param {Buffer} strings each with its zero at the end
 */
export function variantOf (btf, strings) {
  const end = btf.readUInt32LE(4) + btf.readUInt32LE(STR_OFF) + btf.readUInt32LE(STR_LEN)
  if (end !== btf.length) throw new Error('the strings of this BTF are not at its end')
  const variant = Buffer.concat([btf, strings])
  variant.writeUInt32LE(btf.readUInt32LE(STR_LEN) + strings.length, STR_LEN)
  return variant
}

/** The .btf.tar.xz of a kernel. */
export function packKernel (release, btf) {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-pack-'))
  try {
    writeFileSync(join(folder, `${release}.btf`), btf)
    const { status, stdout, stderr } = spawnSync(
      'tar', ['-c', '-I', 'xz -0', '--owner=root:0', '--mtime=@0', `${release}.btf`], { cwd: folder, maxBuffer: 256 << 20 }
    )
    if (status !== 0) throw new Error(`tar and xz are needed: ${stderr}`)
    return stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}
