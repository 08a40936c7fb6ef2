import { describe, expect, it } from 'vitest'
import { orderRelease } from '../../../src/identity/release-order.js'

const ordered = (releases: readonly string[]): string[] =>
  releases.toSorted((a, b) => orderRelease(a).key < orderRelease(b).key ? -1 : 1)

describe('releases', () => {
  // As their distributions published them.
  it.each([
    ['4.15.0-20-generic', '4.15.0-112-generic', '5.4.0-42-generic', '5.4.0-1009-generic', '5.15.0-25-generic'],
    ['5.10.0-8-amd64', '5.10.0-10-amd64', '6.1.0-9-amd64', '6.1.0-18-amd64', '6.12.9-amd64', '6.12.107+deb13-amd64'],
    ['3.10.0-1062.el7.x86_64', '3.10.0-1160.el7.x86_64', '3.10.0-1160.49.1.el7.x86_64', '4.18.0-80.el8.x86_64'],
    ['6.12-rc6-amd64', '6.12-amd64', '6.12.3-amd64'],
    ['6.1.0-rc1', '6.1.0', '6.1.1'],
    ['6.6.20-rpi2-rpi-v8', '6.6.31-rpi1-rpi-v8', '6.6.31-rpi12-rpi-v8']
  ])('are in the order of their versions: %s, …', (...releases) => {
    expect(ordered(releases.toReversed())).toEqual(releases)
  })

  it.each([
    ['5.4.0-42-generic', 'generic'], ['5.4.0-1009-aws', 'aws'], ['5.4.0-1009-aws-fips', 'aws-fips'],
    ['6.1.0-18-cloud-amd64', 'cloud-amd64'], ['6.12.107+deb13-cloud-amd64', 'cloud-amd64'], ['6.1.0-0.deb11.13-amd64', 'amd64'],
    ['5.3.18-150300.59.43-default', 'default'], ['4.18.0-80.el8.x86_64', ''], ['5.14.0-503.11.1.el9_5.x86_64+rt', 'rt'],
    ['6.6.31-rpi12-rpi-v8', 'rpi-v8'], ['5.15.90.1-microsoft-standard-WSL2', 'microsoft-standard-WSL2'], ['6.9.7', ''], ['6.1.0-rc1', '']
  ])('have a flavour behind their numbers: %s has "%s"', (release, flavour) => {
    expect(orderRelease(release).flavour).toBe(flavour)
  })
})
