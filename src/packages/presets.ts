import type { DebNaming } from './deb-kernels.js'
import { ALMALINUX_KEYS } from './keys/almalinux.js'
import { AMAZON_KEYS } from './keys/amazon.js'
import { CENTOS_KEYS } from './keys/centos.js'
import { DEBIAN_KEYS } from './keys/debian.js'
import { FEDORA_KEYS } from './keys/fedora.js'
import { OPENSUSE_KEYS } from './keys/opensuse.js'
import { ORACLE_KEYS } from './keys/oracle.js'
import { ROCKY_KEYS } from './keys/rocky.js'
import { UBUNTU_KEYS } from './keys/ubuntu.js'

interface PresetCommon {
  /** As os-release and BTFHub call it. */
  readonly distro: string
  readonly arches: readonly string[]
  readonly keys: Readonly<Record<string, string>>
}

export interface AptPreset extends PresetCommon {
  readonly type: 'apt'
  readonly naming: DebNaming
  readonly mirror: string
  /** Where the suites with security updates are, if not there. */
  readonly securityMirror?: string
  /** Where all architectures but x86 are, if not there. */
  readonly portsMirror?: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** What has the packages that the suites no longer list. */
  readonly past:
    | { readonly type: 'debian-snapshot', readonly url: string }
    | { readonly type: 'launchpad', readonly url: string, readonly snapshots: string }
  /** Version of the distribution by the first word of the suite's name. */
  readonly versions: Readonly<Record<string, string>>
}

export interface RpmTree {
  readonly version: string
  /** Below the mirror; `$arch` stands for the architecture. */
  readonly path: string
  readonly isMirrorList?: boolean
  /** A tree of its own that is asked only for what the others do not have. */
  readonly history?: string
  /** As the repository spells them; all of the preset by default. */
  readonly arches?: readonly string[]
}

export interface RpmPreset extends PresetCommon {
  readonly type: 'rpm'
  readonly mirror: string
  readonly trees: readonly RpmTree[]
}

export type Preset = AptPreset | RpmPreset

const RPM_ARCHES = ['x86_64', 'aarch64'] as const

/** Each suite with those that hold its updates. */
function withUpdates (codenames: readonly string[], parts: readonly string[]): string[] {
  return codenames.flatMap(codename => ['', ...parts].map(part => `${codename}${part}`))
}

function tree (version: string, path: string): RpmTree { return { version, path } }

function vault (version: string, history: string, path: string): RpmTree { return { version, path, history } }

/** Minor releases of Enterprise Linux after which there was another one, so that they are in vaults. */
const EL_MINORS = [
  '8.5', '8.6', '8.7', '8.8', '8.9', '9.0', '9.1', '9.2', '9.3', '9.4', '9.5', '9.6', '9.7', '10.0', '10.1'
] as const

/** Real-time kernels, which Enterprise Linux has in a repository of their own, for x86_64 alone. */
function realTime (tree: RpmTree): RpmTree { return { ...tree, arches: ['x86_64'] } }

function majorOf (minor: string): string { return minor.split('.')[0] ?? minor }

/**
 * The distributions whose repositories are known by name. Everything of it can be given otherwise in a file. Which versions they have
 * stands in covered.ts, too.
 *
 * Debian's were tried. The layouts of the others are those of the distributions' own settings, as the templates of mock repeat them
 * (rpm-software-management/mock, mock-core-configs/etc/mock/templates) and mkosi (systemd/mkosi, mkosi/distribution); what is from
 * elsewhere says so.
 */
export const PRESETS: Readonly<Record<string, Preset>> = {
  debian: {
    type: 'apt',
    distro: 'debian',
    naming: 'debian',
    mirror: 'https://deb.debian.org/debian',
    securityMirror: 'https://deb.debian.org/debian-security',
    past: { type: 'debian-snapshot', url: 'https://snapshot.debian.org' },
    suites: [...withUpdates(['bookworm', 'trixie'], ['-updates', '-security', '-backports']), 'bullseye', 'bullseye-security'],
    components: ['main'],
    arches: ['amd64', 'arm64'],
    versions: { buster: '10', bullseye: '11', bookworm: '12', trixie: '13', forky: '14', sid: 'sid' },
    keys: DEBIAN_KEYS
  },
  // The suites are those of the package ubuntu-sources; https://documentation.ubuntu.com/server/how-to/software/snapshot-service/
  // and https://snapshot.ubuntu.com tell of the snapshots, which begin on 1 March 2023.
  ubuntu: {
    type: 'apt',
    distro: 'ubuntu',
    naming: 'ubuntu',
    mirror: 'http://archive.ubuntu.com/ubuntu',
    portsMirror: 'http://ports.ubuntu.com/ubuntu-ports',
    past: { type: 'launchpad', url: 'https://api.launchpad.net/devel', snapshots: 'https://snapshot.ubuntu.com/ubuntu' },
    suites: withUpdates(['focal', 'jammy', 'noble', 'resolute'], ['-updates', '-security']),
    components: ['main'],
    arches: ['amd64', 'arm64'],
    versions: {
      bionic: '18.04',
      focal: '20.04',
      groovy: '20.10',
      hirsute: '21.04',
      impish: '21.10',
      jammy: '22.04',
      kinetic: '22.10',
      lunar: '23.04',
      mantic: '23.10',
      noble: '24.04',
      oracular: '24.10',
      plucky: '25.04',
      questing: '25.10',
      resolute: '26.04'
    },
    keys: UBUNTU_KEYS
  },
  // A release moves to the archive some time after its end.
  fedora: {
    type: 'rpm',
    distro: 'fedora',
    mirror: 'https://dl.fedoraproject.org/pub/fedora/linux',
    arches: RPM_ARCHES,
    trees: [
      ...['43', '44', '45'].flatMap(version => [
        tree(version, `updates/${version}/Everything/$arch`),
        tree(version, `releases/${version}/Everything/$arch/os`)
      ]),
      ...['39', '40', '41', '42', '43'].flatMap(version => [
        vault(version, 'https://archives.fedoraproject.org/pub/archive/fedora/linux', `updates/${version}/Everything/$arch`),
        vault(version, 'https://archives.fedoraproject.org/pub/archive/fedora/linux', `releases/${version}/Everything/$arch/os`)
      ])
    ],
    keys: FEDORA_KEYS
  },
  'centos-stream': {
    type: 'rpm',
    distro: 'centos',
    mirror: 'https://mirror.stream.centos.org',
    arches: RPM_ARCHES,
    trees: [
      ...['9', '10'].map(version => tree(version, `${version}-stream/BaseOS/$arch/os`)),
      realTime(tree('9', '9-stream/RT/$arch/os')),
      vault('8', 'https://vault.centos.org', '8-stream/BaseOS/$arch/os')
    ],
    keys: CENTOS_KEYS
  },
  rocky: {
    type: 'rpm',
    distro: 'rocky',
    mirror: 'https://dl.rockylinux.org/pub/rocky',
    arches: RPM_ARCHES,
    trees: [
      ...['8', '9', '10'].map(version => tree(version, `${version}/BaseOS/$arch/os`)),
      ...['8', '9'].map(version => realTime(tree(version, `${version}/RT/$arch/os`))),
      ...EL_MINORS
        .map(minor => vault(majorOf(minor), 'https://dl.rockylinux.org/vault/rocky', `${minor}/BaseOS/$arch/os`)),
      ...EL_MINORS.filter(minor => majorOf(minor) !== '10')
        .map(minor => realTime(vault(majorOf(minor), 'https://dl.rockylinux.org/vault/rocky', `${minor}/RT/$arch/os`)))
    ],
    keys: ROCKY_KEYS
  },
  almalinux: {
    type: 'rpm',
    distro: 'almalinux',
    mirror: 'https://repo.almalinux.org/almalinux',
    arches: RPM_ARCHES,
    trees: [
      ...['8', '9', '10'].map(version => tree(version, `${version}/BaseOS/$arch/os`)),
      ...EL_MINORS
        .map(minor => vault(majorOf(minor), 'https://vault.almalinux.org', `${minor}/BaseOS/$arch/os`))
    ],
    keys: ALMALINUX_KEYS
  },
  // https://yum.oracle.com/oracle-linux-9.html and its like list the repositories.
  oraclelinux: {
    type: 'rpm',
    distro: 'ol',
    mirror: 'https://yum.oracle.com/repo/OracleLinux',
    arches: RPM_ARCHES,
    trees: [
      tree('8', 'OL8/baseos/latest/$arch'), tree('8', 'OL8/UEKR6/$arch'), tree('8', 'OL8/UEKR7/$arch'),
      tree('9', 'OL9/baseos/latest/$arch'), tree('9', 'OL9/UEKR7/$arch'), tree('9', 'OL9/UEKR8/$arch'),
      tree('10', 'OL10/baseos/latest/$arch'), tree('10', 'OL10/UEKR8/$arch')
    ],
    keys: ORACLE_KEYS
  },
  // The extras of 2 are those that kernel-crawler (falcosecurity/kernel-crawler) reads. A list has one line, the address of a tree.
  amazonlinux: {
    type: 'rpm',
    distro: 'amzn',
    mirror: 'https://cdn.amazonlinux.com',
    arches: RPM_ARCHES,
    trees: [
      { version: '2023', path: 'al2023/core/mirrors/latest/$arch/mirror.list', isMirrorList: true },
      { version: '2', path: '2/core/latest/$arch/mirror.list', isMirrorList: true },
      { version: '2', path: '2/extras/kernel-5.10/latest/$arch/mirror.list', isMirrorList: true },
      { version: '2', path: '2/extras/kernel-5.15/latest/$arch/mirror.list', isMirrorList: true }
    ],
    keys: AMAZON_KEYS
  },
  // Leap 16 as openSUSE's own list of its repositories has it (openSUSE/openSUSE-repos, opensuse-leap16-repoindex.xml).
  opensuse: {
    type: 'rpm',
    distro: 'opensuse-leap',
    mirror: 'https://download.opensuse.org',
    arches: RPM_ARCHES,
    trees: [
      ...['15.5', '15.6'].flatMap(version => [
        tree(version, `update/leap/${version}/sle`),
        tree(version, `update/leap/${version}/oss`),
        tree(version, `distribution/leap/${version}/repo/oss`)
      ]),
      tree('16.0', 'distribution/leap/16.0/repo/oss/$arch') // with its updates
    ],
    keys: OPENSUSE_KEYS
  }
}
