import { it } from 'vitest'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseBtf, relocate } from '/work/main/src/core/index.js'
it('d', () => { const t = parseBtf(readFileSync(process.env.BTF!)); for (const o of process.env.OBJ!.split(',')) { const r = relocate(readFileSync(o), t); writeFileSync('/tmp/k/' + process.env.P + o.split('/').at(-1), r.bytes!); console.log(o, r.counts) } })
