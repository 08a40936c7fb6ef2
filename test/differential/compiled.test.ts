import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../src/core/index.js'
import { bytesOf, compiledKernel, compiledObject } from '../support/compiled.js'
import { askOracle, compareDumps, describeLab, NEEDS, scratchFolder } from '../support/lab.js'
import { relocate } from '../support/relocate.js'

describeLab('a compiled program whose report has something to say', [NEEDS.oracle], () => {
  const folder = scratchFolder()

  it.each(['bitfields', 'module-type'])('is patched as libbpf does: %s', async name => {
    const [object, btf, path] = [compiledObject(name), compiledKernel(name), join(folder, `${name}.o`)]
    const { bytes } = relocate(parseObject(bytesOf(object)), parseBtf(bytesOf(btf)))
    if (bytes === undefined) throw new Error('the object is refused')
    writeFileSync(path, bytes)
    const [libbpf, ours] = await askOracle([{ object, btf }, { object: path }])
    if (libbpf?.relocated !== true || ours?.relocated !== true) throw new Error(`libbpf refuses it: ${libbpf?.error} ${ours?.error}`)
    expect(compareDumps(libbpf, ours)).toEqual([])
  })

  it.each([['compiled-values', 'compiled-values'], ['zero-length', 'two-names']])('is refused as by libbpf: %s', async (name, kernel) => {
    expect(relocate(parseObject(bytesOf(compiledObject(name))), parseBtf(bytesOf(compiledKernel(kernel)))).ok).toBe(false)
    expect(await askOracle([{ object: compiledObject(name), btf: compiledKernel(kernel) }])).toMatchObject([
      { relocated: false, stage: 'relocate' }
    ])
  })

  it('has two programs of one function to libbpf, which relocates one of them', async () => {
    const [object, btf, path] = [compiledObject('two-names'), compiledKernel('two-names'), join(folder, 'two-names.o')]
    writeFileSync(path, relocate(parseObject(bytesOf(object)), parseBtf(bytesOf(btf))).bytes ?? '')
    const [libbpf, ours] = await askOracle([{ object, btf }, { object: path }])
    if (libbpf === undefined || ours === undefined) throw new Error('an answer is missing')
    const different = compareDumps(libbpf, ours).map(difference =>
      /^program (\w+), instruction (\d+)/.exec(difference)?.slice(1) ?? difference)
    const [[name] = []] = different // which one is left depends on how libbpf sorts equals
    expect(different).toEqual([[name, '1'], [name, '2']])
  })
})
