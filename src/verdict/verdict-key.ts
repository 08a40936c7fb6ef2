import { ageOf } from './age.js'
import { kernelVersion } from './symbols.js'

/**
 * All that a verdict takes from a kernel's release, as a text: two releases with the same text get the same verdict for the same
 * relocation.
 *
 * @param release `uname -r`
 * @param readsVersion whether the object may read LINUX_KERNEL_VERSION; without that the verifier's abilities alone count
 */
export function verdictKey (release: string, { readsVersion }: { readonly readsVersion: boolean }): string {
  const { sure, perhaps, ...abilities } = ageOf(release)
  const age = Object.values(abilities).map(ability => ability[0]).join('')
  return readsVersion ? `${age} ${kernelVersion(release).from.join()}` : age
}
