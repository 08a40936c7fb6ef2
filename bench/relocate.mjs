import { readFileSync } from 'node:fs'
import { parseBtf, parseObject, relocate } from '../dist/core/index.js'
import { labBtfs, labObjects, oracle } from './lab.mjs'
import { median } from './statistics.mjs'

/**
 * Relocating an object against BTF that is read already, beside libbpf's relocation of the same object: from its bytes to the
 * end of relocation. libbpf reads the kernel's BTF for each object anew; its time without that stands beside it.
 */
export function benchRelocate ({ runs }) {
  const [kernel] = labBtfs().filter(({ name }) => name === 'running').concat(labBtfs())
  if (kernel === undefined) return []
  const btf = parseBtf(readFileSync(kernel.path))
  const objects = labObjects().map(({ name, path }) => ({ name, path, bytes: readFileSync(path) }))
  for (let i = 0; i < 20; i++) {
    for (const { bytes } of objects) relocate(bytes, btf)
  }
  return objects.flatMap(({ name, path, bytes }) => {
    const records = relocate(bytes, btf).records.length
    if (records === 0) return [] // libbpf has nothing to do there, and does not read the kernel's BTF
    const ours = []
    for (let run = 0; run < runs; run++) {
      const started = performance.now()
      relocate(parseObject(bytes), btf)
      ours.push(performance.now() - started)
    }
    const times = oracle('bench', path, kernel.path, Math.max(3, Math.ceil(runs / 5)))
    const total = median(times.map(({ totalNs }) => totalNs)) / 1e6
    const alone = median(times.map(({ relocateNs }) => relocateNs)) / 1e6
    return [{
      object: name,
      kB: bytes.length / 1e3,
      records,
      'corelo ms': median(ours),
      'libbpf ms': total,
      ratio: median(ours) / total,
      'libbpf without its BTF parse, ms': alone,
      'ratio to that': median(ours) / alone
    }]
  })
}
