import { describe, expect, it } from 'vitest'
import { typeId, type Btf } from '../../../src/btf/btf.js'
import { newWork, step } from '../../../src/btf/work.js'
import { parseBtf } from '../../../src/core/index.js'
import { keepSearches } from '../../../src/report/reasons/kept-searches.js'
import { btf } from '../../support/btf-builder.js'

const kernel = (): Btf => parseBtf(btf().bytes())

/** A search of ten steps that notes what it was asked. */
function searching () {
  const asked: string[] = []
  const search = keepSearches((_btf, id, name, work) => {
    step(work, 10)
    asked.push(`${id} ${name}`)
    return `${name} of ${id}`
  })
  return { asked, search }
}

describe('a search of a kernel\'s types that is kept', () => {
  it('is made once for each kernel, type and name', () => {
    const { asked, search } = searching()
    const [first, second] = [kernel(), kernel()]
    for (const btf of [first, first, second]) expect(search(btf, typeId(1), 'a', newWork())).toBe('a of 1')
    search(first, typeId(2), 'a', newWork())
    search(first, typeId(1), 'b', newWork())
    expect(asked).toEqual(['1 a', '1 a', '2 a', '1 b'])
  })

  it('takes the steps that it took at first, and fails where there are fewer: no answer tells what was asked before', () => {
    const { search } = searching()
    const btf = kernel()
    for (let time = 0; time < 2; time++) {
      const work = newWork(15)
      search(btf, typeId(1), 'a', work)
      expect(work.left).toBe(5)
      expect(() => search(btf, typeId(1), 'a', newWork(9))).toThrow('9 steps')
    }
  })

  it('is made again when very many others were kept meanwhile', () => {
    const { asked, search } = searching()
    const btf = kernel()
    for (let i = 0; i < 1000; i++) search(btf, typeId(1), String(i), newWork())
    search(btf, typeId(1), '0', newWork())
    expect(asked).toHaveLength(1001)
  })
})
