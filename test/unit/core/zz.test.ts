import { it } from 'vitest'
import { readFileSync } from 'node:fs'
import { parseBtf, parseObject, relocate, describeRelocation } from '../../../src/core/index.js'
it('x', () => { for (const o of ['el', 'eb']) {
  const d = '/work/main/test/fixtures/big-endian/'
  const object = parseObject(readFileSync(d + `layout.${o}.bpf.o`)); const r = relocate(object, parseBtf(readFileSync(d + `target.${o}.btf`)))
  const rep = describeRelocation(object, r)
  for (const x of rep.relocations.slice(0, 70)) console.log(x.program, x.instruction, x.kind, x.type, '|', x.access, '|', x.access_spec, x.status, x.old, x.new, x.reason)
}})
