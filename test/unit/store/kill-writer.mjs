// Writes content and index records without end, until it is killed. Says when the first is done.
import { openContentStore } from '../../../dist/store/content-store.js'
import { openKernelIndex } from '../../../dist/kernels/kernel-index.js'
import { sha256 } from '../../../dist/store/sha256.js'

const [directory, round] = process.argv.slice(2)
const store = openContentStore({ directory })
const index = await openKernelIndex({ directory })

for (let i = 0; ; i++) {
  const bytes = new Uint8Array(200_000).fill(i)
  new DataView(bytes.buffer).setFloat64(0, Number(round) * 1000 + i)
  const hash = sha256(bytes)
  await store.write('btf', hash, bytes)
  store.writeBehind('object', hash, bytes)
  const reference = { distro: 'd', distroVersion: '1', arch: 'x86_64', release: `5.${i % 7}` }
  const now = new Date().toISOString()
  await index.put({
    reference,
    btfSha256: hash,
    bytes: bytes.length,
    types: 1,
    source: 'upload',
    provenance: { by: 'writer', at: now },
    firstSeen: now,
    lastUsed: now,
    modules: []
  })
  if (i === 0) process.send?.('writing')
}
