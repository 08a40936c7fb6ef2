import { describe, expect, it } from 'vitest'
import {
  countFacet, inOrder, isWholeFleet, listChoice, mergeNames, patternsOf, WHOLE_FLEET, type ListedKernel
} from '../../../page/model/kernel-choice.js'
import { CHECK_LIMITS } from '../../../src/check/limits.js'
import { parseReference } from '../../../src/identity/reference.js'

function kernel (reference: string, changes: Partial<ListedKernel> = {}): ListedKernel {
  return { ...parseReference(reference), reference, state: 'held', btfSha256: 'sha256:1', ...changes }
}

const FOCAL = 'ubuntu/20.04/x86_64/5.4.0-42-generic'
const JAMMY = 'ubuntu/22.04/arm64/5.15.0-25-generic'
const BOOKWORM = 'debian/12/x86_64/6.1.0-18-amd64'
const FLEET = [
  kernel(FOCAL), kernel(JAMMY), kernel(BOOKWORM), kernel('debian/11/x86_64/5.10.0-8-amd64', { state: 'offered', btfSha256: null })
]
const names = (kernels: readonly ListedKernel[]): readonly string[] => kernels.map(({ reference }) => reference)

describe('the choice of kernels', () => {
  it('is the whole fleet as a pattern where nothing is narrowed down, and only what is held', () => {
    expect(patternsOf(FLEET, WHOLE_FLEET)).toEqual(['*'])
    expect(isWholeFleet({ ...WHOLE_FLEET, text: '  ' })).toBe(true)
    expect(names(listChoice(FLEET, WHOLE_FLEET))).toEqual([FOCAL, JAMMY, BOOKWORM])
  })

  it('is searched by all words, in which a star is any text within a part', () => {
    const found = (text: string) => names(listChoice(FLEET, { ...WHOLE_FLEET, text }))
    expect(found('ubuntu 42')).toEqual([FOCAL])
    expect(found('UBUNTU')).toEqual([FOCAL, JAMMY])
    expect(found('5.1*-generic')).toEqual([JAMMY])
    expect(found('ubuntu*generic')).toEqual([])
    expect(found('(')).toEqual([])
  })

  it('is narrowed by facets, of which each counts what the others leave', () => {
    const choice = { ...WHOLE_FLEET, distros: ['ubuntu'] }
    expect(patternsOf(FLEET, choice)).toEqual([FOCAL, JAMMY])
    expect(countFacet(FLEET, choice, 'distro')).toEqual([{ value: 'ubuntu', count: 2 }, { value: 'debian', count: 1 }])
    expect(countFacet(FLEET, choice, 'arch')).toEqual([{ value: 'arm64', count: 1 }, { value: 'x86_64', count: 1 }])
    expect(countFacet(FLEET, { ...choice, text: 'amd64' }, 'distro')).toEqual([
      { value: 'debian', count: 1 }, { value: 'ubuntu', count: 0 }
    ])
  })

  it('is what was picked where something was, whatever the search says', () => {
    expect(patternsOf(FLEET, { ...WHOLE_FLEET, text: 'ubuntu', picked: [BOOKWORM] })).toEqual([BOOKWORM])
  })

  it('is a few patterns where those mean all that is offered, so that the largest archive can be asked for', () => {
    const offered = { ...WHOLE_FLEET, offered: true }
    expect(patternsOf(FLEET, offered)).toEqual(['*/*/*/*'])
    expect(patternsOf(FLEET, { ...offered, distros: ['ubuntu'] })).toEqual(['ubuntu/*/*/*'])
    expect(patternsOf(FLEET, { ...offered, arches: ['x86_64'] })).toEqual(['*/*/x86_64/*'])
    // Those that mean nothing are left out: the service would show each as a kernel that it does not know.
    expect(patternsOf(FLEET, { ...offered, distros: ['ubuntu', 'debian'], arches: ['arm64', 'x86_64'] }))
      .toEqual(['ubuntu/*/x86_64/*', 'ubuntu/*/arm64/*', 'debian/*/x86_64/*'])
    expect(patternsOf(FLEET, { ...offered, text: 'amd64' })).toEqual([BOOKWORM, 'debian/11/x86_64/5.10.0-8-amd64'])
    expect(patternsOf(FLEET, { ...offered, distros: ['fedora'] })).toEqual([])
  })

  it('is a few patterns where the names are more than one check takes, and nothing is offered that it does not mean', () => {
    const many = Array.from({ length: CHECK_LIMITS.patterns + 1 }, (_, i) => kernel(`ubuntu/20.04/x86_64/5.4.0-${i}-generic`))
    const ubuntu = { ...WHOLE_FLEET, distros: ['ubuntu'] }
    expect(patternsOf([...many, kernel(BOOKWORM)], ubuntu).slice(0, 2)).toEqual(['ubuntu/*/*/*'])
    expect(patternsOf(many.slice(1), ubuntu)).toHaveLength(CHECK_LIMITS.patterns)
    const withOffered = [...many, kernel(JAMMY, { state: 'offered', btfSha256: null })]
    expect(patternsOf(withOffered, ubuntu)).toHaveLength(many.length)
  })

  it('has each name once, without a content where several are held for it', () => {
    const merged = mergeNames([kernel(FOCAL), kernel(FOCAL, { btfSha256: 'sha256:2' }), kernel(JAMMY), kernel(JAMMY)])
    expect(merged.map(({ reference, btfSha256 }) => [reference, btfSha256])).toEqual([[FOCAL, null], [JAMMY, 'sha256:1']])
    const byName = new Map<string, ListedKernel>()
    mergeNames([kernel(FOCAL), kernel(JAMMY)], byName)
    expect(mergeNames([kernel(FOCAL, { btfSha256: 'sha256:2' }), kernel(JAMMY)], byName)).toEqual(merged)
  })

  it('lists kernels by number, those of one distribution together', () => {
    const wanted = ['debian/9/x86_64/4.9.0-13-amd64', 'debian/12/x86_64/6.1.0-9-amd64', 'debian/12/x86_64/6.1.0-10-amd64', JAMMY]
    expect(names(inOrder(wanted.toSorted().map(name => kernel(name))))).toEqual(wanted)
  })
})
