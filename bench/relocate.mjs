import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeRelocation, parseBtf, parseObject, relocate } from '../dist/core/index.js'
import { labBtfs, labObjects, oracle } from './lab.mjs'
import { loadLargeObject } from './large-object.mjs'
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

/** Records, and accesses among them that differ. The last row has no two alike. */
const LARGE = [[10_000, 200], [35_000, 700], [100_000, 2000], [10_000, 10_000]]

/**
 * The same for objects as large as tracers ship, made here, to show how time grows with records and with distinct accesses; and
 * the report beside it.
 */
export async function benchLargeObjects ({ runs }) {
  const [kernel] = labBtfs().filter(({ name }) => name === 'running').concat(labBtfs())
  if (kernel === undefined) return []
  const btf = parseBtf(readFileSync(kernel.path))
  const largeObject = await loadLargeObject()
  const folder = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  try {
    return LARGE.map(([records, distinct]) => {
      const bytes = largeObject({ kernel: btf, records, distinct })
      const path = join(folder, `${records}-${distinct}.bpf.o`)
      writeFileSync(path, bytes)
      const times = { relocate: [], report: [] }
      for (let run = 0; run < runs; run++) {
        const started = performance.now()
        const object = parseObject(bytes)
        const relocation = relocate(object, btf)
        const relocated = performance.now()
        describeRelocation(object, relocation)
        times.relocate.push(relocated - started)
        times.report.push(performance.now() - relocated)
      }
      const alone = median(oracle('bench', path, kernel.path, Math.max(3, Math.ceil(runs / 5))).map(({ relocateNs }) => relocateNs)) / 1e6
      const ours = median(times.relocate)
      return {
        records,
        'distinct accesses': distinct,
        'corelo ms': ours,
        'us a record': ours / records * 1000,
        'libbpf without its BTF parse, ms': alone,
        ratio: ours / alone,
        'report ms': median(times.report),
        'report, ratio to libbpf': median(times.report) / alone
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
