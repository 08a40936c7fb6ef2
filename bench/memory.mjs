import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetch } from 'undici'
import { labBtfs } from './lab.mjs'
import { putBytes, residentBytes, startMeasured } from './servers.mjs'

/**
 * Resident memory of a service that holds the BTF of many kernels, beside the bytes of that BTF. The kernels are real ones, each
 * several times with another version byte in its header, which nothing reads.
 */
export async function benchMemory ({ kernels }) {
  const files = labBtfs().map(({ path }) => readFileSync(path))
  if (files.length === 0 || !existsSync('/proc/self/status')) return []
  const cache = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  const service = await startMeasured({ CORELO_CACHE_DIR: cache, CORELO_MEMORY_BYTES: String(4 * 1024 ** 3), CORELO_LOCAL_KERNEL: 'false' })
  try {
    const object = readFileSync(join(import.meta.dirname, '..', 'examples', 'exec.bpf.o'))
    await relocateOnce(service.url, object, files[0])
    const before = residentBytes(service)
    let btfBytes = 0
    for (let i = 0; i < kernels; i++) {
      const btf = Buffer.from(files[i % files.length])
      btf.writeUInt8(1 + Math.floor(i / files.length), 2)
      btfBytes += btf.length
      await putBytes(service, `/kernels/bench/1/x86_64/bench-${i}/btf`, btf)
      await relocate(service.url, object, `bench/1/x86_64/bench-${i}`)
    }
    const resident = await settle(service)
    return [{
      kernels,
      'BTF MB': btfBytes / 1e6,
      'resident MB': resident / 1e6,
      'of that the service itself MB': before / 1e6,
      'kernels / BTF': (resident - before) / btfBytes,
      'all / BTF': resident / btfBytes
    }]
  } finally {
    await service.stop()
    rmSync(cache, { recursive: true, force: true })
  }
}

/** With a BTF of its own, so that code is compiled and pools are filled before the count starts. */
async function relocateOnce (address, object, btf) {
  const form = new FormData()
  form.set('object', new Blob([object]), 'exec.bpf.o')
  form.set('btf', new Blob([btf]), 'vmlinux.btf')
  await answered(await globalThis.fetch(`${address}/relocate`, { method: 'POST', body: form }))
}

async function relocate (address, object, kernel) {
  await answered(await fetch(`${address}/relocate?kernel_release=${encodeURIComponent(kernel)}`, {
    method: 'POST', body: object, headers: { 'content-type': 'application/octet-stream' }
  }))
}

async function answered (answer) {
  const body = await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`POST /relocate answered ${answer.status}: ${Buffer.from(body)}`)
}

/** Garbage of the uploads goes when the collectors get to it; the lowest of the next seconds counts. */
async function settle (service) {
  let lowest = Infinity
  for (let i = 0; i < 10; i++) {
    await new Promise(resolve => setTimeout(resolve, 500))
    lowest = Math.min(lowest, residentBytes(service))
  }
  return lowest
}
