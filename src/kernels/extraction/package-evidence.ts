import { normalizeArch } from '../arch.js'
import type { ControlFields } from './containers/deb.js'
import type { Evidence } from './evidence.js'

/**
 * What the control fields of a Debian package say of the kernel in it. The distribution is that of who maintains the package;
 * its version is only told where the package's own version names it.
 *
 * - Debian: `6.12.117-1~deb12u1`, `5.10.120-1~bpo10+1`
 * - Ubuntu: `5.15.0-91.101~20.04.1`
 */
export function debEvidence (control: ControlFields): Evidence {
  const architecture = control.get('architecture')
  const version = control.get('version') ?? ''
  const maintainer = `${control.get('maintainer') ?? ''} ${control.get('original-maintainer') ?? ''}`
  const arch = architecture === undefined || architecture === 'all' ? undefined : normalizeArch(architecture)
  if (/@(?:lists\.)?ubuntu\.com>|@canonical\.com>/.test(maintainer)) return { arch, distro: 'ubuntu', distroVersion: /~(\d\d\.\d\d)\.\d+/.exec(version)?.[1] }
  if (/@lists\.debian\.org>/.test(maintainer)) return { arch, distro: 'debian', distroVersion: /[~+](?:deb|bpo)(\d+)/.exec(version)?.[1] }
  return { arch }
}
