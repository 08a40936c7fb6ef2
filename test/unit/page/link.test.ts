import { describe, expect, it } from 'vitest'
import { ALL_ROWS } from '../../../page/model/groups.js'
import { WHOLE_FLEET } from '../../../page/model/kernel-choice.js'
import { readLink, writeLink, type View } from '../../../page/model/link.js'

const A = `sha256:${'a'.repeat(64)}`
const NOTHING: View = { objects: [], kernels: WHOLE_FLEET, rows: ALL_ROWS, open: undefined }

describe('the link of a view', () => {
  it('is nothing for a page on which nothing was done', () => {
    expect(writeLink(NOTHING)).toBe('')
    expect(readLink('')).toEqual(NOTHING)
  })

  it('gives the view back, whatever names it has', () => {
    const view: View = {
      objects: [{ sha256: A, name: 'my object & more=1 #2 ü.bpf.o' }, { sha256: `sha256:${'b'.repeat(64)}`, name: 'b.o' }],
      kernels: {
        text: 'deb13+*', distros: ['debian', 'ubuntu'], arches: ['x86_64'], picked: ['debian/13/x86_64/6.12.107+deb13-amd64'], offered: true
      },
      rows: {
        grouping: 'kernel',
        states: new Set(['fails', 'loads']),
        text: '5.4 amd64',
        open: new Set(['debian/13/x86_64/6.12.107+deb13-amd64', 'a/1/arm64/6'])
      },
      open: { sha256: A, kernel: 'debian/13/x86_64/6.12.107+deb13-amd64' }
    }
    expect(readLink(`#${writeLink(view)}`)).toEqual(view)
  })

  it('leaves out what somebody has broken', () => {
    const broken = `#object=sha256:123 a.o&object=${A}&kernel=../../etc&kernel=a/b/c/d/e&open=${A} ` +
      '<b>&group=no&state=odd&expanded=..&find=&other=1'
    expect(readLink(broken)).toEqual({ ...NOTHING, objects: [{ sha256: A, name: A.slice(0, 19) }] })
  })
})
