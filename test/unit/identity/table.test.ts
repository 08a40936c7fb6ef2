import { describe, expect, it } from 'vitest'
import { normalizeArch } from '../../../src/identity/arch.js'
import { archivePlaces } from '../../../src/identity/archive-places.js'
import { parseOsRelease, platformOf } from '../../../src/identity/os-release.js'

interface Row {
  /** Quoted from the distribution's own file, shortened to what names it. */
  readonly osRelease: string
  readonly machine: string
  /** `uname -r`. */
  readonly release: string
  /** The reference that a node with these says of itself. */
  readonly reference: string
  /** The folders of BTFHub's layout in which its kernel is looked for, in this order. */
  readonly folders: readonly string[]
}

const ROWS: Readonly<Record<string, Row>> = {
  'Ubuntu 20.04': {
    osRelease: 'NAME="Ubuntu"\nVERSION="20.04 LTS (Focal Fossa)"\nID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 20.04 LTS"\n' +
      'VERSION_ID="20.04"\nVERSION_CODENAME=focal\nUBUNTU_CODENAME=focal\n',
    machine: 'x86_64',
    release: '5.4.0-100-generic',
    reference: 'ubuntu/20.04',
    folders: ['ubuntu/20.04/x86_64']
  },
  'Ubuntu 16.04 on ARM': {
    osRelease: 'NAME="Ubuntu"\nVERSION="16.04.5 LTS (Xenial Xerus)"\nID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 16.04.5 LTS"\n' +
      'VERSION_ID="16.04"\n',
    machine: 'aarch64',
    release: '4.15.0-101-generic',
    reference: 'ubuntu/16.04',
    folders: ['ubuntu/16.04/arm64']
  },
  'Linux Mint, which installs Ubuntu\'s kernel and is not Ubuntu': {
    osRelease: 'NAME="Linux Mint"\nVERSION="22 (Wilma)"\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n' +
      'VERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n',
    machine: 'x86_64',
    release: '6.8.0-45-generic',
    reference: 'linuxmint/22',
    folders: ['linuxmint/22/x86_64']
  },
  'Debian 10': {
    osRelease: 'PRETTY_NAME="Debian GNU/Linux 10 (buster)"\nNAME="Debian GNU/Linux"\nVERSION_ID="10"\nVERSION="10 (buster)"\n' +
      'VERSION_CODENAME=buster\nID=debian\n',
    machine: 'x86_64',
    release: '4.19.0-27-cloud-amd64',
    reference: 'debian/10',
    folders: ['debian/10/x86_64']
  },
  'Debian 11, whose folder has its codename': {
    osRelease: 'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nNAME="Debian GNU/Linux"\nVERSION_ID="11"\nVERSION="11 (bullseye)"\n' +
      'VERSION_CODENAME=bullseye\nID=debian\n',
    machine: 'x86_64',
    release: '5.10.0-9-amd64',
    reference: 'debian/11',
    folders: ['debian/bullseye/x86_64', 'debian/11/x86_64']
  },
  'Debian testing, which has no number': {
    osRelease: 'PRETTY_NAME="Debian GNU/Linux trixie/sid"\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=trixie\nID=debian\n',
    machine: 'riscv64',
    release: '6.6.82-th1520',
    reference: 'debian/trixie',
    folders: ['debian/13/riscv64', 'debian/trixie/riscv64']
  },
  'Red Hat Enterprise Linux 8.4, by its major version': {
    osRelease: 'NAME="Red Hat Enterprise Linux"\nVERSION="8.4 (Ootpa)"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.4"\n' +
      'PLATFORM_ID="platform:el8"\n',
    machine: 'aarch64',
    release: '4.18.0-305.25.1.el8_4.aarch64',
    reference: 'rhel/8.4',
    folders: ['rhel/8/arm64', 'rhel/8.4/arm64']
  },
  'CentOS 7': {
    osRelease: 'NAME="CentOS Linux"\nVERSION="7 (Core)"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n' +
      'PRETTY_NAME="CentOS Linux 7 (Core)"\n',
    machine: 'x86_64',
    release: '3.10.0-1160.49.1.el7.x86_64',
    reference: 'centos/7',
    folders: ['centos/7/x86_64']
  },
  'Oracle Linux 7.9 with Oracle\'s own kernel': {
    osRelease: 'NAME="Oracle Linux Server"\nVERSION="7.9"\nID="ol"\nID_LIKE="fedora"\nVARIANT="Server"\nVARIANT_ID="server"\n' +
      'VERSION_ID="7.9"\nPRETTY_NAME="Oracle Linux Server 7.9"\n',
    machine: 'aarch64',
    release: '4.14.35-1902.0.18.el7uek.aarch64',
    reference: 'ol/7.9',
    folders: ['ol/7/arm64', 'ol/7.9/arm64']
  },
  'Rocky Linux, whose likeness is no match': {
    osRelease: 'NAME="Rocky Linux"\nVERSION="8.9 (Green Obsidian)"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.9"\n' +
      'PLATFORM_ID="platform:el8"\n',
    machine: 'x86_64',
    release: '4.18.0-513.5.1.el8_9.x86_64',
    reference: 'rocky/8.9',
    folders: ['rocky/8/x86_64', 'rocky/8.9/x86_64']
  },
  'Amazon Linux 1, which has two folders': {
    osRelease: 'NAME="Amazon Linux AMI"\nVERSION="2018.03"\nID="amzn"\nID_LIKE="rhel fedora"\nVERSION_ID="2018.03"\n' +
      'PRETTY_NAME="Amazon Linux AMI 2018.03"\n',
    machine: 'x86_64',
    release: '4.14.128-87.105.amzn1.x86_64',
    reference: 'amzn/2018.03',
    folders: ['amzn/2018/x86_64', 'amzn/1/x86_64', 'amzn/2018.03/x86_64']
  },
  'Amazon Linux 2': {
    osRelease: 'NAME="Amazon Linux"\nVERSION="2"\nID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\nPRETTY_NAME="Amazon Linux 2"\n',
    machine: 'aarch64',
    release: '4.14.101-91.76.amzn2.aarch64',
    reference: 'amzn/2',
    folders: ['amzn/2/arm64']
  },
  'a container of Amazon Linux 1 on a node of Amazon Linux 2': {
    osRelease: 'NAME="Amazon Linux AMI"\nVERSION="2018.03"\nID="amzn"\nID_LIKE="rhel fedora"\nVERSION_ID="2018.03"\n' +
      'VARIANT_ID="202004110148-al2018.03.309.0"\n',
    machine: 'x86_64',
    release: '4.14.165-102.205.amzn2.x86_64',
    reference: 'amzn/2018.03',
    folders: ['amzn/2018/x86_64', 'amzn/1/x86_64', 'amzn/2018.03/x86_64']
  },
  'SLES 12 SP5, which keeps its minor version': {
    osRelease: 'NAME="SLES"\nVERSION="12-SP5"\nVERSION_ID="12.5"\nPRETTY_NAME="SUSE Linux Enterprise Server 12 SP5"\nID="sles"\n',
    machine: 'x86_64',
    release: '4.12.14-122.103-default',
    reference: 'sles/12.5',
    folders: ['sles/12.5/x86_64']
  },
  'SUSE\'s desktop, which installs the server\'s kernel': {
    osRelease: 'NAME="SLED"\nVERSION="12-SP3"\nVERSION_ID="12.3"\nPRETTY_NAME="SUSE Linux Enterprise Desktop 12 SP3"\nID="sled"\n',
    machine: 'x86_64',
    release: '4.4.103-6.33-default',
    reference: 'sled/12.3',
    folders: ['sles/12.3/x86_64', 'sled/12.3/x86_64']
  },
  'openSUSE Leap 15.1': {
    osRelease: 'NAME="openSUSE Leap"\nVERSION="15.1"\nID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.1"\n' +
      'PRETTY_NAME="openSUSE Leap 15.1"\n',
    machine: 'x86_64',
    release: '4.12.14-lp151.28.36-default',
    reference: 'opensuse-leap/15.1',
    folders: ['opensuse-leap/15.1/x86_64']
  },
  'openEuler, with its capital': {
    osRelease: 'NAME="openEuler"\nVERSION="22.03 (LTS-SP2)"\nID="openEuler"\nVERSION_ID="22.03"\n' +
      'PRETTY_NAME="openEuler 22.03 (LTS-SP2)"\nANSI_COLOR="0;31"\n\n',
    machine: 'aarch64',
    release: '5.10.0-153.17.0.93.oe2203sp2.aarch64',
    reference: 'openEuler/22.03',
    folders: ['openEuler/22.03/arm64']
  },
  'Kylin, which no rule knows': {
    osRelease: 'NAME="Kylin Linux Advanced Server"\nVERSION="V10 (Sword)"\nID="kylin"\nVERSION_ID="V10"\n' +
      'PRETTY_NAME="Kylin Linux Advanced Server V10 (Sword)"\n',
    machine: 'aarch64',
    release: '4.19.90-24.4.v2101.ky10.aarch64',
    reference: 'kylin/V10',
    folders: ['kylin/V10/arm64']
  },
  'Arch Linux, which has no version at all': {
    osRelease: 'NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\nANSI_COLOR="38;2;23;147;209"\n',
    machine: 'x86_64',
    release: '6.11.2-arch1-1',
    reference: 'arch/rolling',
    folders: ['arch/rolling/x86_64']
  },
  'Fedora 31': {
    osRelease: 'NAME=Fedora\nVERSION="31 (Workstation Edition)"\nID=fedora\nVERSION_ID=31\nVERSION_CODENAME=""\n' +
      'PLATFORM_ID="platform:f31"\n',
    machine: 'x86_64',
    release: '5.8.18-100.fc31.x86_64',
    reference: 'fedora/31',
    folders: ['fedora/31/x86_64']
  }
}

describe('what a node says of itself', () => {
  it.each(Object.entries(ROWS))('%s', (_, { osRelease, machine, release, reference, folders }) => {
    const platform = platformOf(parseOsRelease(osRelease))
    expect(`${platform.distro}/${platform.distroVersion}`).toBe(reference)
    const places = archivePlaces({ ...platform, arch: normalizeArch(machine), release })
    expect(places.filter(place => place.reference.release === release).map(({ path }) => path)).toEqual(folders.map(folder =>
      `${folder}/${release}.btf.tar.xz`))
  })
})

describe('os-release', () => {
  it('may say nothing, or what no reference can hold', () => {
    expect(platformOf(parseOsRelease(''))).toEqual({ distro: 'linux', distroVersion: 'rolling' })
    expect(platformOf(parseOsRelease('ID="../etc"\nVERSION_ID="1 2/3"\n'))).toEqual({ distro: '..-etc', distroVersion: '1-2-3' })
    expect(platformOf(parseOsRelease('ID=".."\nVERSION_ID="."\n'))).toEqual({ distro: 'unknown', distroVersion: 'unknown' })
  })

  it('may have comments behind its values, and blanks around them', () => {
    expect(parseOsRelease('  ID="kylin" \nVERSION_ID="V10"\t# the version\nVERSION_CODENAME=plain # as well\n')).toEqual({
      id: 'kylin', versionId: 'V10', versionCodename: 'plain', idLike: []
    })
  })

  it('keeps what stands in quotes, a # included, and takes broken quotes as they are', () => {
    expect(parseOsRelease('ID="a # b"\nVERSION_ID=\'c\\$d\'\nVERSION_CODENAME="e\n')).toEqual({
      id: 'a # b', versionId: 'c\\$d', versionCodename: '"e', idLike: []
    })
  })
})

describe('an architecture', () => {
  it.each([
    ['x86_64', 'x86_64'], ['amd64', 'x86_64'], ['x86_64_v2', 'x86_64'],
    ['aarch64', 'arm64'], ['arm64', 'arm64'], ['armv8l', 'arm64'],
    ['ppc64le', 'ppc64le'], ['ppc64el', 'ppc64le'], ['s390x', 's390x'], ['riscv64', 'riscv64'],
    ['armv7l', 'arm'], ['armv7hl', 'arm'], ['armhf', 'arm'], ['armel', 'arm'], ['i686', 'x86'], ['386', 'x86'], ['loong64', 'loongarch64'],
    ['ppc64', 'ppc64'], ['aarch64_be', 'aarch64_be'], ['s390', 's390'], ['mips64', 'mips64']
  ])('%s, of uname, Go, Debian or RPM, is %s', (name, normal) => {
    expect(normalizeArch(name)).toBe(normal)
  })
})
