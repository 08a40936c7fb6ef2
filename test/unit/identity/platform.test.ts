import { describe, expect, it } from 'vitest'
import { isSamePlatform, type Platform } from '../../../src/identity/platform.js'

const platform = (text: string): Platform => {
  const [distro = '', distroVersion = ''] = text.split('/')
  return { distro, distroVersion }
}
const isSame = (a: string, b: string): boolean => {
  const forth = isSamePlatform(platform(a), platform(b))
  expect(isSamePlatform(platform(b), platform(a))).toBe(forth)
  return forth
}

describe('a platform', () => {
  it.each([
    ['debian/11', 'debian/bullseye'], ['debian/10', 'debian/buster'], ['debian/11', 'debian/11.7'],
    ['ubuntu/focal', 'ubuntu/20.04'], ['ubuntu/20.04', 'ubuntu/20.04.6'], ['ubuntu/xenial', 'ubuntu/16.04'],
    ['rhel/8.6', 'rhel/8'], ['ol/7.9', 'ol/7'], ['centos/8', 'centos/8.3.2011'], ['rocky/8.9', 'rocky/8.5'],
    ['amzn/2018.03', 'amzn/1'], ['amzn/2018', 'amzn/1'], ['amzn/2017.09', 'amzn/2018.03'],
    ['sled/15.1', 'sles/15.1'], ['sles_sap/12.5', 'sles/12.5'], ['openEuler/22.03', 'openeuler/22.03'], ['kylin/V10', 'kylin/V10']
  ])('is one, whether called %s or %s', (a, b) => {
    expect(isSame(a, b)).toBe(true)
  })

  it.each([
    ['rocky/8', 'rhel/8'], ['centos/7', 'rhel/7'], ['ol/8', 'rhel/8'], ['almalinux/8', 'rocky/8'],
    [
      'ubuntu/18.04', 'ubuntu/20.04'
    ], ['debian/10', 'debian/11'], ['debian/sid', 'debian/trixie'], ['rhel/8', 'rhel/9'], ['rhel/8', 'rhel/80'],
    ['amzn/1', 'amzn/2'], ['amzn/2', 'amzn/2023'], ['amzn/2018', 'amzn/2'], ['sles/12.3', 'sles/12.5'], ['sles/15', 'sles/15.1'],
    [
      'sles/15.3', 'opensuse-leap/15.3'
    ], ['openEuler/20.03', 'openEuler/22.03'], ['fedora/30', 'fedora/31'], ['kylin/V10', 'kylin/v10'], ['Ubuntu/20.04', 'ubuntu/20.04'],
    ['linuxmint/20', 'ubuntu/20.04'], ['debian/focal', 'ubuntu/focal']
  ])('%s is another one than %s', (a, b) => {
    expect(isSame(a, b)).toBe(false)
  })
})
