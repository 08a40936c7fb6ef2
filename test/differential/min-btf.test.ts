import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../src/core/index.js'
import { minimiseBtf } from '../../src/index.js'
import { askOracle, compareDumps, describeLab, labBtfs, labObjects, NEEDS, PATHS, scratchFolder, type LabFile } from '../support/lab.js'

/** Of these kernels bpftool makes its own, which takes it a while for each object. */
const BY_BPFTOOL = /^(?:running|debian-6\.1|android-5\.10)$/

describeLab('libbpf with a minimised BTF', [NEEDS.oracle, NEEDS.objects, NEEDS.bpftool], () => {
  const folder = scratchFolder()
  const objects = labObjects()
  const done = { pairs: 0, compared: 0, bytes: 0, bpftoolBytes: 0, bpftoolRefused: 0, ids: 0 }

  it.each(labBtfs().map(btf => [btf.name, btf] as const))('relocates every object as with the whole BTF of %s', async (_, btf) => {
    const target = parseBtf(readFileSync(btf.path))
    const pairs = objects.flatMap(source => {
      const object = parseObject(readFileSync(source.path))
      const relocation = relocate(object, target)
      if (!relocation.ok) return []
      const path = join(folder, `${btf.name}.${source.name}.btf`)
      writeFileSync(path, minimiseBtf([object], target))
      // An id is that of the BTF that was used.
      const hasIds = relocation.records.some(({ kind, status }) => kind === 'target_type_id' && status === 'resolved')
      return [{ source, path, hasIds }]
    })
    const answers = await askOracle([
      ...pairs.map(({ source }) => ({ object: source.path, btf: btf.path })),
      ...pairs.map(({ source, path }) => ({ object: source.path, btf: path }))
    ])
    const disagreements = pairs.flatMap(({ source, path, hasIds }, i) => {
      const [whole, small] = [answers[i], answers[pairs.length + i]]
      if (whole === undefined || small === undefined) throw new Error('an answer is missing')
      done.pairs++
      if (hasIds) done.ids++
      if (whole.relocated !== small.relocated) return [`${source.name}: ${small.stage}: ${small.error}`]
      const differences = hasIds ? [] : compareDumps(whole, small)
      return [...differences, ...tooLarge(source, btf, path)].map(what => `${source.name}: ${what}`)
    })
    expect(disagreements).toEqual([])
  })

  function tooLarge (source: LabFile, btf: LabFile, path: string): string[] {
    if (!BY_BPFTOOL.test(btf.name)) return []
    done.compared++
    const theirs = join(folder, 'bpftool.btf')
    const { status } = spawnSync('bpftool', ['gen', 'min_core_btf', btf.path, theirs, source.path], { env: PATHS })
    if (status !== 0) {
      done.bpftoolRefused++
      return []
    }
    const [bytes, bpftoolBytes] = [path, theirs].map(file => statSync(file).size)
    done.bytes += bytes ?? 0
    done.bpftoolBytes += bpftoolBytes ?? 0
    return (bytes ?? 0) > (bpftoolBytes ?? 0) ? [`${bytes} bytes, and bpftool makes ${bpftoolBytes}`] : []
  }

  it('is no larger than bpftool makes it, in as many cases as a comparison needs', () => {
    expect(done.pairs).toBeGreaterThan(objects.length)
    expect(done.compared).toBeGreaterThan(objects.length)
    expect(done.bpftoolRefused).toBeLessThan(done.compared / 10)
    expect(done.ids).toBeLessThan(done.pairs / 10)
    console.log(`minimised BTF beside bpftool's: ${JSON.stringify(done)}`)
  })
})
