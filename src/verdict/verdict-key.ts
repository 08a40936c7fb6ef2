import { ageOf, type Age } from './age.js'
import { versionText } from './version-text.js'

/**
 * All that a verdict takes from a kernel's release, as a text: two releases with the same text get the same verdict for the same
 * relocation.
 *
 * @param release `uname -r`
 * @param readsVersion whether the object may read LINUX_KERNEL_VERSION; without that the verifier's abilities alone count
 */
export function verdictKey (release: string, { readsVersion }: { readonly readsVersion: boolean }): string {
  const age = textOf(ageOf(release))
  return readsVersion ? `${age} ${versionText(release) ?? ''}` : age
}

/** It is asked for with each release, of which few have an age of their own. */
const texts = new WeakMap<Age, string>()

function textOf (age: Age): string {
  let text = texts.get(age)
  if (text === undefined) {
    const { sure, perhaps, ...abilities } = age
    texts.set(age, text = Object.values(abilities).map(ability => ability[0]).join(''))
  }
  return text
}
