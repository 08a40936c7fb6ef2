import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseRawBtf } from '../dist/btf/parse.js'
import { parseObject } from '../dist/core/index.js'
import { buildLayoutTable, demandsOf, layoutVector, readLayoutTable } from '../dist/layout/index.js'
import { LAYOUT_FORMAT } from '../dist/workers/layout-format.js'
import { bpftoolMs } from './bpftool.mjs'
import { labBtfs, labObjects } from './lab.mjs'
import { median } from './statistics.mjs'

/**
 * What a layout table costs as a kernel is taken in, beside what is done for its BTF anyway (hash, validation, index), and its size. CPU
 * of this process, which has done it before.
 */
export function benchIntake ({ runs }) {
  return labBtfs().map(({ name, path }) => {
    const bytes = new Uint8Array(readFileSync(path))
    const times = { btf: [], table: [] }
    let table = new Uint8Array()
    for (let run = 0; run < runs; run++) {
      const { value: btf, ms } = cpuOf(() => {
        hash('sha256', bytes, 'hex')
        return parseRawBtf(bytes)
      })
      times.btf.push(ms)
      const built = cpuOf(() => buildLayoutTable(btf, CONTENT, LAYOUT_FORMAT))
      times.table.push(built.ms)
      table = built.value
    }
    return {
      btf: name,
      MB: bytes.length / 1e6,
      'hash, validate, index ms': median(times.btf),
      'layout table ms': median(times.table),
      'table bytes': table.length,
      'table / BTF %': 100 * table.length / bytes.length
    }
  })
}

/**
 * Telling kernels apart for an object by tables on disk: each is read and its checksum verified (cold), or is in memory (warm). Beside
 * `bpftool gen min_core_btf` of the same object, once for a kernel. The tables are those of the lab's kernels, under other names.
 */
export function benchFleet ({ kernels }) {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-bench-'))
  try {
    const tables = labBtfs().map(({ path }) => {
      const bytes = new Uint8Array(readFileSync(path))
      return { path, table: buildLayoutTable(parseRawBtf(bytes), CONTENT, LAYOUT_FORMAT) }
    })
    for (let i = 0; i < kernels; i++) writeFileSync(join(folder, String(i).padStart(6, '0')), tables[i % tables.length].table)
    const objects = labObjects().map(({ name, path }) => ({ name, path, object: parseObject(new Uint8Array(readFileSync(path))) }))
    const files = readdirSync(folder).map(name => join(folder, name))
    const read = () => files.map(file => readLayoutTable(new Uint8Array(readFileSync(file)), CONTENT, LAYOUT_FORMAT))
    const [{ object, path }] = objects.filter(({ name }) => name.startsWith('biolatency'))
    const cold = cpuOf(() => read().map(table => layoutVector(demandsOf(object), [table], LAYOUT_FORMAT)))
    const held = read()
    const warm = cpuOf(() => held.map(table => layoutVector(demandsOf(object), [table], LAYOUT_FORMAT)))
    const all = cpuOf(() => objects.map(({ object }) => held.map(table => layoutVector(demandsOf(object), [table], LAYOUT_FORMAT))))
    const bpftool = bpftoolMs(path, tables.map(({ path }) => path), join(folder, 'min.btf'))
    return [{
      kernels,
      'MB of tables': held.length * tables[0].table.length / 1e6,
      'one object, cold ms': cold.ms,
      'warm ms': warm.ms,
      [`${objects.length} objects, warm ms`]: all.ms,
      'distinct vectors': new Set(warm.value).size,
      'bpftool gen min_core_btf ms': bpftool === undefined ? 'no bpftool' : kernels * bpftool,
      'cold / bpftool': bpftool === undefined ? '' : cold.ms / (kernels * bpftool)
    }]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const CONTENT = '0123456789abcdef0123456789abcdef'

function cpuOf (work) {
  const before = process.cpuUsage()
  const value = work()
  const { user, system } = process.cpuUsage(before)
  return { value, ms: (user + system) / 1000 }
}
