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

  it('costs little, whatever it is', () => {
    const kernel = parseReference(`debian/12/x86_64/${'a'.repeat(128)}`)
    expect(compilePattern(`${'*a'.repeat(63)}b`)(kernel)).toBe(false)
  })
})
