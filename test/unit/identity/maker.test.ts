import { describe, expect, it } from 'vitest'
import { contradiction } from '../../../src/identity/agreement.js'
import { makerOf } from '../../../src/identity/maker.js'

describe('the maker of a kernel', () => {
  it.each([
    // Ubuntu's interim releases began with series that the long-term ones carry later, with a mark.
    ['6.11.0-19-generic', '#19-Ubuntu SMP PREEMPT_DYNAMIC Wed Feb 12 21:43:43 UTC 2025', 'ubuntu', '24.10'],
    ['6.11.0-19-generic', '#19~24.04.1-Ubuntu SMP PREEMPT_DYNAMIC Mon Feb 17 11:51:52 UTC 2', 'ubuntu', '24.04'],
    ['5.13.0-52-generic', '#59-Ubuntu SMP Wed Jun 15 20:17:13 UTC 2022', 'ubuntu', '21.10'],
    ['5.13.0-52-generic', '#59~20.04.1-Ubuntu SMP Thu Jun 16 21:21:28 UTC 2022', 'ubuntu', '20.04'],
    ['6.5.0-44-generic', '#44-Ubuntu SMP PREEMPT_DYNAMIC Fri Jun 7 15:10:09 UTC 2024', 'ubuntu', '23.10'],
    ['6.14.0-15-generic', '#15-Ubuntu SMP PREEMPT_DYNAMIC Sun Apr 6 15:05:05 UTC 2025', 'ubuntu', '25.04'],
    ['5.4.0-42-generic', '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020', 'ubuntu', '20.04'],
    ['4.15.0-142-generic', '#146~16.04.1-Ubuntu SMP Tue Apr 13 09:27:15 UTC 2021', 'ubuntu', '16.04'],
    // Kernels for clouds and new machines have a history of their own, in which an unmarked one says nothing.
    ['6.1.0-1036-oem', '#36-Ubuntu SMP PREEMPT_DYNAMIC Mon Mar 11 09:40:11 UTC 2024', 'ubuntu', undefined],
    ['5.0.0-1036-azure', '#38-Ubuntu SMP Sun Mar 22 21:27:21 UTC 2020', 'ubuntu', undefined],
    ['5.15.15-76051515-generic', '#202201160435~1642693824~20.04~97db1bb-Ubuntu SMP Fri Jan 2', 'pop', '20.04'],
    ['6.9.3-76060903-generic', '#202405300957~1726766035~22.04~4092a0e SMP PREEMPT_DYNAMIC', 'pop', '22.04'],
    ['6.1.0-18-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)', 'debian', '12'],
    ['6.12.38+deb13-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.12.38-1 (2025-07-16)', 'debian', '13'],
    ['6.12.38+deb13-cloud-arm64', '', 'debian', '13'],
    ['6.12.117+deb12-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1~deb12u1 (2026-11-14)', 'debian', '12'],
    ['6.9.7+bpo-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.9.7-1~bpo12+1 (2024-07-03)', 'debian', '12'],
    ['4.9.0-0.bpo.4-amd64', '#1 SMP Debian 4.9.65-3+deb9u1~bpo8+1 (2018-01-05)', 'debian', '8'],
    ['6.6.9-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.6.9-1 (2024-01-01)', 'debian', undefined],
    ['5.10.0-9-cloud-amd64', '#1 SMP Debian 5.10.83-1gardenlinux1 (2021-12-17)', 'gardenlinux', undefined],
    ['6.6.31+rpt-rpi-v8', '#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)', 'raspbian', undefined],
    ['6.12.47+rpt-rpi-2712', '#1 SMP PREEMPT Debian 1:6.12.47-1+rpt1~bookworm (2025-09-16)', 'raspbian', '12'],
    ['6.1.0-kali9-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1kali1 (2023-05-12)', 'kali', undefined],
    ['6.5.0-kali3-amd64', '#1 SMP PREEMPT_DYNAMIC Kali 6.5.6-1kali1 (2023-10-09)', 'kali', undefined],
    ['5.8.18-100.fc31.x86_64', '#1 SMP Mon Nov 2 20:32:55 UTC 2020', 'fedora', '31'],
    ['5.15.132-flatcar', '#1 SMP Fri Sep 22', 'flatcar', undefined],
    ['6.1.58-talos', '#1 SMP Mon Oct 16 13:18:26 UTC 2023', 'talos', undefined],
    ['6.1.56-2.ph5', '#1-photon SMP Tue Oct 10', 'photon', '5.0'],
    ['5.10.260-3.ph4-esx', '', 'photon', '4.0']
  ])('of %s (%s) is %s %s', (release, kernelVersion, distro, distroVersion) => {
    expect(makerOf(release, kernelVersion)).toEqual({ distro, distroVersion })
  })

  it.each([
    ['5.14.0-362.8.1.el9_3.x86_64', '#1 SMP PREEMPT_DYNAMIC Tue Nov 7 14:54:22 EST 2023'],
    ['6.18.5', '#1 SMP PREEMPT_DYNAMIC @0'],
    // Neither Bottlerocket nor Container-Optimized OS puts its name into its kernel's.
    ['5.15.148', '#1 SMP Fri Feb 9 03:33:24 UTC 2024'],
    ['6.1.58+', '#1 SMP PREEMPT_DYNAMIC Sat Jan 6 16:00:00 UTC 2024']
  ])('of %s is not told', (release, kernelVersion) => {
    expect(makerOf(release, kernelVersion)).toBeUndefined()
  })
})

describe('a kernel', () => {
  it.each([
    ['ubuntu/20.04', '5.4.0-42-generic', '#46~18.04.1-Ubuntu SMP Fri Jul 10 07:21:24 UTC 2020', 'is that of ubuntu 18.04'],
    ['ubuntu/24.04', '6.11.0-19-generic', '#19-Ubuntu SMP PREEMPT_DYNAMIC Wed Feb 12 21:43:43 UTC 2025', 'is that of ubuntu 24.10'],
    ['debian/11', '5.10.0-9-cloud-amd64', '#1 SMP Debian 5.10.83-1gardenlinux1 (2021-12-17)', 'is that of gardenlinux'],
    ['debian/12', '6.6.31+rpt-rpi-v8', '#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)', 'is that of raspbian'],
    ['debian/12', '5.15.0-91-generic', '#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023', 'is that of ubuntu'],
    [
      'debian/12', '5.14.0-362.8.1.el9_3.x86_64', '#1 SMP PREEMPT_DYNAMIC Tue Nov 7 14:54:22 EST 2023',
      'is called as those of centos, rhel, ol, rocky, almalinux are'
    ],
    ['debian/12', '5.15.132-flatcar', '#1 SMP Fri Sep 22', 'is that of flatcar'],
    ['alpine/3.19.1', '6.1.58-talos', '#1 SMP Mon Oct 16 13:18:26 UTC 2023', 'is that of talos'],
    ['debian/12', '6.1.56-2.ph5', '#1-photon SMP Tue Oct 10', 'is that of photon'],
    ['amzn/2', '5.8.18-100.fc31.x86_64', '#1 SMP Mon Nov 2 20:32:55 UTC 2020', 'is that of fedora']
  ])('is none of %s where it is %s (%s)', (platform, release, kernelVersion, why) => {
    const [distro = '', distroVersion = ''] = platform.split('/')
    expect(contradiction({ distro, distroVersion }, { release, kernelVersion })).toBe(why)
  })

  it.each([
    ['ubuntu/focal', '5.4.0-42-generic', '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020'],
    ['linuxmint/20.3', '5.4.0-42-generic', '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020'],
    ['devuan/5', '6.1.0-18-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)'],
    ['debian/trixie', '6.12.38+deb13-amd64', '#1 SMP PREEMPT_DYNAMIC Debian 6.12.38-1 (2025-07-16)'],
    ['rhcos/4.14', '5.14.0-284.36.1.el9_2.x86_64', '#1 SMP PREEMPT_DYNAMIC Tue Oct 10'],
    ['rocky/9.3', '5.14.0-362.24.1.el9_3.0.1.x86_64', '#1 SMP PREEMPT_DYNAMIC Tue Nov 7'],
    ['flatcar/3510.2.8', '5.15.132-flatcar', '#1 SMP Fri Sep 22'],
    ['talos/v1.5.5', '6.1.58-talos', '#1 SMP Mon Oct 16'],
    ['photon/4.0', '6.1.56-2.ph5', '#1-photon SMP Tue Oct 10'],
    ['bottlerocket/1.19.5', '5.15.148', '#1 SMP Fri Feb 9 03:33:24 UTC 2024'],
    ['opensuse-leap/15.3', '5.3.18-150300.59.43-default', '#1 SMP Sun Jan 23'],
    ['myos/1', '5.4.0-42-generic', '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020']
  ])('may be one of %s where it is %s', (platform, release, kernelVersion) => {
    const [distro = '', distroVersion = ''] = platform.split('/')
    expect(contradiction({ distro, distroVersion }, { release, kernelVersion })).toBeUndefined()
  })
})
