import { normalizeArch } from '../identity/arch.js'
import type { ControlFields } from './containers/deb.js'
import type { RpmFacts } from './containers/rpm.js'
import type { Evidence } from '../identity/evidence.js'

/**
 * What the control fields of a Debian package say of the kernel in it. The distribution is that of the maintainer of the package;
 * its version is only told where the package's own version names it.
 *
 * - Debian: `6.12.117-1~deb12u1`, `5.10.120-1~bpo10+1`
 * - Ubuntu: `5.15.0-91.101~20.04.1`
 */
export function debEvidence (control: ControlFields): Evidence {
  const architecture = control.get('architecture')
  const version = control.get('version') ?? ''
  const known = {
    packageVersion: version === '' ? undefined : version,
    arch: architecture === undefined || architecture === 'all' ? undefined : normalizeArch(architecture)
  }
  const maintainer = `${control.get('maintainer') ?? ''} ${control.get('original-maintainer') ?? ''}`
  if (/@(?:lists\.)?ubuntu\.com>|@canonical\.com>/.test(maintainer)) {
    return { ...known, distro: 'ubuntu', distroVersion: /~(\d\d\.\d\d)\.\d+/.exec(version)?.[1] }
  }
  if (/@lists\.debian\.org>/.test(maintainer)) {
    return { ...known, distro: 'debian', distroVersion: /[~+](?:deb|bpo)(\d+)/.exec(version)?.[1] }
  }
  return known
}

/** Distributions by what their packages say of who made them. The version of each is in the package's release, or told otherwise. */
const VENDORS: ReadonlyArray<readonly [pattern: RegExp, distro: string]> = [
  [/^Red Hat\b/, 'rhel'],
  [/^CentOS\b/, 'centos'],
  [/^Rocky Enterprise Software Foundation\b/, 'rocky'],
  [/^AlmaLinux\b/, 'almalinux'],
  [/^Oracle\b/, 'ol'],
  [/^Fedora Project\b/, 'fedora'],
  [/^Amazon(?:\.com| Linux)\b/, 'amzn'],
  [/^(?:http:\/\/)?openeuler\.org\b|^openEuler\b/i, 'openEuler']
]

/**
 * By the dist tag in the release, which the vendor's own build system puts there: `305.25.1.el8_4`, `100.fc31`, `91.76.amzn2`,
 * `136.oe2203sp1`.
 */
const DIST_TAGS: ReadonlyMap<string, RegExp> = new Map([
  ['rhel', /\.el(\d+)/], ['centos', /\.el(\d+)/], ['rocky', /\.el(\d+)/], ['almalinux', /\.el(\d+)/], ['ol', /\.el(\d+)/],
  ['fedora', /\.fc(\d+)/], ['amzn', /\.amzn(\d+)/]
])

/**
 * What the header of an RPM package says of the kernel in it. The vendor tells the distribution, its dist tag the version; where
 * one of them is missing or strange, nothing is told: kernels of third parties carry the tags of those they are built for.
 */
export function rpmEvidence (facts: RpmFacts): Evidence {
  const arch = facts.arch === '' || facts.arch === 'noarch' ? undefined : normalizeArch(facts.arch)
  if (/^SUSE\b|^openSUSE\b/.test(facts.vendor)) return { arch, ...suseEvidence(facts) }
  const distro = VENDORS.find(([pattern]) => pattern.test(facts.vendor))?.[1]
  if (distro === undefined) return { arch }
  if (distro === 'openEuler') {
    const [, year, month] = /\.oe(2\d)(\d\d)/.exec(facts.release) ?? []
    return { arch, distro, distroVersion: year === undefined ? undefined : `${year}.${month}` }
  }
  return { arch, distro, distroVersion: DIST_TAGS.get(distro)?.exec(facts.release)?.[1] }
}

/**
 * SUSE's builds say where they come from: `obs://build.suse.de/SUSE:Maintenance:21488/SUSE_SLE-15-SP3_Update/…`,
 * `…/openSUSE:Leap:15.2:Update/…`.
 */
function suseEvidence ({ disturl, distribution }: RpmFacts): Evidence {
  const [, leap] = /openSUSE[:_]Leap[:_](\d+\.\d+)/.exec(disturl) ?? /^openSUSE Leap (\d+\.\d+)$/.exec(distribution) ?? []
  if (leap !== undefined) return { distro: 'opensuse-leap', distroVersion: leap }
  const [, major, servicePack] = /SUSE[:_]SLE-(\d+)(?:-SP(\d+))?[:_]/.exec(disturl) ?? []
  if (major === undefined) return {}
  return { distro: 'sles', distroVersion: servicePack === undefined ? major : `${major}.${servicePack}` }
}
