// An origin in BTFHub's layout that counts what is fetched from it.
import { createServer } from 'node:http'
import { packKernel, variantOf } from '../archive.mjs'

/**
 * Starts it on loopback, with as many kernels, each of which has BTF of its own.
 *
 * @returns {Promise<{ url: string, releases: string[], fetches: Map<string, number>, close: () => Promise<void> }>} `fetches` counts
 *   the downloads of each release
 */
export async function startOrigin (btf, count) {
  const releases = Array.from({ length: count }, (_, i) => `5.4.0-${100 + i}-generic`)
  const files = new Map(releases.map(release =>
    [`/ubuntu/20.04/x86_64/${release}.btf.tar.xz`, { release, bytes: packKernel(release, variantOf(btf, Buffer.from(`${release}\0`))) }]))
  const fetches = new Map(releases.map(release => [release, 0]))
  const server = createServer((request, response) => {
    const file = files.get(request.url)
    if (file === undefined) return response.writeHead(404).end()
    fetches.set(file.release, fetches.get(file.release) + 1)
    response.writeHead(200, { 'content-type': 'application/x-xz', 'content-length': file.bytes.length }).end(file.bytes)
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
