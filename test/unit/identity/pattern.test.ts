import { describe, expect, it } from 'vitest'
import { compilePattern, isPattern } from '../../../src/identity/pattern.js'
import { parseReference } from '../../../src/identity/reference.js'

const KERNEL = parseReference('debian/12/x86_64/6.1.0-50-cloud-amd64')

describe('a pattern of kernels', () => {
  it.each([
    '*', '6.1.0-50-cloud-amd64', '6.1.0-*', '*-cloud-*', '*6.1.0-50-cloud-amd64*', '6.1.0-*-cloud-*', 'debian/12/x86_64/*', 'debian/*/*/*',
    '*/*/*/6.1.*-amd64', 'debian/12/amd64/*', 'deb*n/1*/x*4/*', '*/*/*/**50**'
  ])('%s names the kernel', pattern => {
    expect([isPattern(pattern), compilePattern(pattern)(KERNEL)]).toEqual([true, true])
  })

  it.each([
    '6.1.0-50', '*-rt-*', '6.1.0-50-cloud-amd64*6', '6*1.0-50-cloud-amd646', '*amd64amd64', 'debian/11/x86_64/*', 'debian/12/arm64/*',
    'debian/12/x86_64/6.1', '*/12/*/5.*', '6x1x0*', 'cloud-*-cloud'
  ])('%s does not', pattern => {
    expect([isPattern(pattern), compilePattern(pattern)(KERNEL)]).toEqual([true, false])
  })

  it.each([
    '', 'debian/12/*', 'debian/12/x86_64/', '/12/x86_64/*', 'debian/12/x86_64/*/btf', 'a b', '6.1.0-5[01]', '6.1.0-5?', `${'a'.repeat(129)}`
  ])('%j is none', text => {
    expect(isPattern(text)).toBe(false)
  })

  it.each([
    ['debian/bookworm/x86_64/*', 'debian/12/x86_64/6.1.0-50-amd64'], ['debian/11/x86_64/5.*', 'debian/bullseye/x86_64/5.10.0-9-amd64'],
    ['rocky/9.3/x86_64/*', 'rocky/9/x86_64/5.14.0-1.el9.x86_64'], ['ol/8/amd64/*', 'ol/8.9/x86_64/5.4.17'],
    ['openeuler/22.03/*/*', 'openEuler/22.03/x86_64/5.10.0'], ['*/focal/*/*', 'ubuntu/20.04/x86_64/5.4.0-42-generic']
  ])('%s means %s, as its name would', (pattern, kernel) => {
    expect(compilePattern(pattern)(parseReference(kernel))).toBe(true)
  })

  it.each([
    ['rocky/9.3/x86_64/*', 'rhel/9/x86_64/5.14.0'], ['rocky/8.9/*/*', 'rocky/9/x86_64/5.14.0'],
    ['debian/bookw*/*/*', 'debian/12/x86_64/6.1'],
    ['*/bookworm/*/*', 'ubuntu/20.04/x86_64/5.4.0'], ['rocky/9.3/x86_64/4*', 'rocky/9/x86_64/5.14.0']
  ])('%s does not mean %s', (pattern, kernel) => {
    expect(compilePattern(pattern)(parseReference(kernel))).toBe(false)
  })

  it('tells kernels of several platforms apart, in whichever order they come', () => {
    const fits = compilePattern('debian/bookworm/*/*')
    const platforms = ['debian/12/x86_64', 'debian/13/x86_64', 'debian/12/arm64', 'ubuntu/12/x86_64', 'debian/12.5/x86_64']
    expect(platforms.map(platform => fits(parseReference(`${platform}/6.1`)))).toEqual([true, false, true, false, true])
  })

  it('costs little, whatever it is', () => {
    const kernel = parseReference(`debian/12/x86_64/${'a'.repeat(128)}`)
    expect(compilePattern(`${'*a'.repeat(63)}b`)(kernel)).toBe(false)
  })
})
