// Many kernels out of one: an origin in BTFHub's layout whose kernels each have BTF of their own.
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'

/** struct btf_header: the last two fields place the strings, which lie at the end of all BTF that compilers and pahole make. */
const STR_OFF = 16
const STR_LEN = 20

/**
 * The BTF with one more string, which no type uses: other content, same layout of every struct.
 *
 * @param {Buffer} btf raw, little-endian, its strings last
 */
function variantOf (btf, text) {
  const headerBytes = btf.readUInt32LE(4)
  const end = headerBytes + btf.readUInt32LE(STR_OFF) + btf.readUInt32LE(STR_LEN)
  if (end !== btf.length) throw new Error('the strings of this BTF are not at its end')
  const variant = Buffer.concat([btf, Buffer.from(`${text}\0`)])
  variant.writeUInt32LE(btf.readUInt32LE(STR_LEN) + text.length + 1, STR_LEN)
  return variant
}

/** A tar archive of one file, as BTFHub makes them. */
function tarOf (name, bytes) {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000444\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - bytes.length % 512) % 512 + 1024)])
}

function compress (bytes) {
  const { status, stdout, error } = spawnSync('xz', ['-0', '-T1', '-c'], { input: bytes, maxBuffer: 1 << 30 })
  if (status !== 0) throw new Error(`xz is needed to make the archive: ${error?.message ?? `exit ${status}`}`)
  return stdout
}

/**
 * Starts an origin on loopback.
 *
 * @returns {Promise<{ url: string, releases: string[], fetches: Map<string, number>, close: () => Promise<void> }>} `fetches` counts
 *   the downloads of each release
 */
export async function startOrigin (btf, count) {
  const releases = Array.from({ length: count }, (_, i) => `5.4.0-${100 + i}-generic`)
  const files = new Map(releases.map(release => [`/ubuntu/20.04/x86_64/${release}.btf.tar.xz`, compress(tarOf(`${release}.btf`, variantOf(btf, release)))]))
  const fetches = new Map(releases.map(release => [release, 0]))
  const server = createServer((request, response) => {
    const file = files.get(decodeURIComponent(request.url ?? ''))
    if (file === undefined) return response.writeHead(404).end()
    const release = /([^/]+)\.btf\.tar\.xz$/.exec(request.url)[1]
    if (request.method === 'GET') fetches.set(release, fetches.get(release) + 1)
    response.writeHead(200, { 'content-type': 'application/x-xz', 'content-length': file.length }).end(request.method === 'GET' ? file : undefined)
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    releases,
    fetches,
    async close () {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}
