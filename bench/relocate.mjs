import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseBtf, parseObject, relocate } from '../dist/core/index.js'
import { buildReport, judgeRelocation } from '../dist/report/index.js'
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
  for (const { bytes } of objects) timesOf(bytes, btf, 20)
  return objects.flatMap(({ name, path, bytes }) => {
    const records = relocate(bytes, btf).records.length
    if (records === 0) return [] // libbpf has nothing to do there, and does not read the kernel's BTF
    const times = timesOf(bytes, btf, runs)
    const ours = median(times.relocate)
    const libbpf = oracle('bench', path, kernel.path, Math.max(3, Math.ceil(runs / 5)))
    const total = median(libbpf.map(({ totalNs }) => totalNs)) / 1e6
    const alone = median(libbpf.map(({ relocateNs }) => relocateNs)) / 1e6
    return [{
      object: name,
      kB: bytes.length / 1e3,
      records,
      'corelo ms': ours,
      'libbpf ms': total,
      ratio: ours / total,
      'libbpf without its BTF parse, ms': alone,
      'ratio to that': ours / alone,
      'verdict / relocation': median(times.verdict) / ours,
      'report / relocation': median(times.report) / ours,
      'both / relocation': (median(times.verdict) + median(times.report)) / ours,
      'both and JSON / relocation': (median(times.verdict) + median(times.report) + median(times.json)) / ours,
      'both on a new kernel / relocation': (median(times.verdict) + median(times.first)) / ours
    }]
  })
}

/**
 * Milliseconds of each step, in turn: the relocation from the object's bytes on, the verdict about it, the report of both, its JSON,
 * which only what goes over the wire needs, and the report for a kernel for which none was made yet. What earlier reports searched for
 * in a kernel's types is kept with its BTF, so that another view of the same BTF is such a kernel.
 */
function timesOf (bytes, btf, runs) {
  const times = { relocate: [], verdict: [], report: [], json: [], first: [] }
  for (let run = 0; run < runs; run++) {
    const started = performance.now()
    const object = parseObject(bytes)
    const relocation = relocate(object, btf)
    const relocated = performance.now()
    const judgement = judgeRelocation(object, relocation)
    const judged = performance.now()
    const report = buildReport(object, relocation, judgement)
    const reported = performance.now()
    report.json()
    times.json.push(performance.now() - reported)
    times.relocate.push(relocated - started)
    times.verdict.push(judged - relocated)
    times.report.push(reported - judged)
    const anew = relocate(object, { ...btf })
    const relocatedAnew = performance.now()
    buildReport(object, anew, judgement)
    times.first.push(performance.now() - relocatedAnew)
  }
  return times
}

/**
 * Verdict and report beside the relocation, for every object and every BTF of the lab: many of the objects miss what kernels as old
 * as some of these have not, so that more is to be judged and explained there. A first pass over all pairs is not counted.
 */
export function benchVerdicts ({ runs }) {
  const objects = labObjects().map(({ name, path }) => ({ name, bytes: readFileSync(path) }))
  const kernels = labBtfs().map(({ name, path }) => ({ name, btf: parseBtf(readFileSync(path)) }))
  const ratiosOn = btf => objects.flatMap(({ name, bytes }) => {
    if (relocate(bytes, btf).records.length === 0) return []
    const { relocate: ours, verdict, report, json, first } = timesOf(bytes, btf, runs)
    const ratioOf = (...steps) => steps.reduce((sum, times) => sum + median(times), median(verdict)) / median(ours)
    return [{ name, held: ratioOf(report), written: ratioOf(report, json), anew: ratioOf(first) }]
  })
  for (const { btf } of kernels) ratiosOn(btf)
  const rows = kernels.map(({ name, btf }) => ({ kernel: name, ratios: ratiosOn(btf) }))
  return [...rows, { kernel: 'all', ratios: rows.flatMap(({ ratios }) => ratios) }].map(({ kernel, ratios }) => {
    const worst = ratios.reduce((a, b) => a.held >= b.held ? a : b)
    return {
      kernel,
      objects: ratios.length,
      'both / relocation, median': median(ratios.map(({ held }) => held)),
      worst: worst.held,
      of: worst.name,
      'above 2': ratios.filter(({ held }) => held > 2).length,
      'with JSON, median': median(ratios.map(({ written }) => written)),
      'with JSON, worst': Math.max(...ratios.map(({ written }) => written)),
      'with JSON, above 2': ratios.filter(({ written }) => written > 2).length,
      'on a new kernel, median': median(ratios.map(({ anew }) => anew)),
      'on a new kernel, worst': Math.max(...ratios.map(({ anew }) => anew))
    }
  })
}

/** Records, and accesses among them that differ. The last row has no two alike. */
const LARGE = [[10_000, 200], [35_000, 700], [100_000, 2000], [10_000, 10_000]]

/**
 * The same for objects as large as tracers ship, made here, to show how time grows with records and with distinct accesses; and
 * report and verdict beside the relocation.
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
      const times = timesOf(bytes, btf, runs)
      const alone = median(oracle('bench', path, kernel.path, Math.max(3, Math.ceil(runs / 5))).map(({ relocateNs }) => relocateNs)) / 1e6
      const ours = median(times.relocate)
      return {
        records,
        'distinct accesses': distinct,
        'corelo ms': ours,
        'us a record': ours / records * 1000,
        'libbpf without its BTF parse, ms': alone,
        ratio: ours / alone,
        'report and verdict ms': median(times.verdict) + median(times.report),
        'ratio to the relocation': (median(times.verdict) + median(times.report)) / ours
      }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
