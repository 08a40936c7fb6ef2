import { AppError } from '../../errors.js'
import { isSegment } from '../../identity/reference.js'

/** The files of an archive by their base names. */
export type Members = ReadonlyMap<string, Uint8Array>

/** Which file of an archive is what. */
export interface KernelMembers {
  readonly vmlinux: Uint8Array
  /** Split BTF by module. */
  readonly modules: ReadonlyArray<{ readonly name: string, readonly bytes: Uint8Array }>
}

/**
 * Tells a kernel's BTF among the files of its archive: `<release>.btf`, which is how BTFHub packs it, else `vmlinux` with a
 * file for each module, else the only file there is. Raw BTF does not say whose it is, so that a file which names another
 * kernel is refused, and so is more than one kernel.
 *
 * @throws AppError `btf_invalid`
 */
export function chooseMembers (members: Members, releases: readonly string[]): KernelMembers {
  const wanted = releases.map(release => `${release}.btf`)
  const kernels = [...members.keys()].filter(name => name.endsWith('.btf'))
  const named = kernels.find(name => wanted.includes(name))
  if (named !== undefined) {
    const other = kernels.find(name => name !== named)
    if (other !== undefined) throw invalid(`The archive has several kernels' BTF (${named} and ${other}).`)
    return { vmlinux: get(members, named), modules: [] }
  }
  if (members.has('vmlinux')) {
    const modules = [...members].filter(([name]) => name !== 'vmlinux').map(([name, bytes]) => ({ name: moduleName(name), bytes }))
    if (new Set(modules.map(({ name }) => name)).size < modules.length) throw invalid('The archive has two files of one module.')
    return { vmlinux: get(members, 'vmlinux'), modules }
  }
  const [only, ...others] = members.keys()
  if (only === undefined) throw invalid('The archive has no file in it.')
  if (others.length > 0) throw invalid(`The archive has ${members.size} files, and neither ${wanted.join(' nor ')} nor vmlinux is among them.`)
  if (saysAnotherKernel(only, releases)) throw invalid(`The archive has the BTF of another kernel: ${only}, not ${wanted.join(' or ')}.`)
  return { vmlinux: get(members, only), modules: [] }
}

/** A name of the form that kernels' files have. One such as `vmlinux.btf` says nothing of which kernel it is. */
function saysAnotherKernel (name: string, releases: readonly string[]): boolean {
  const stem = name.endsWith('.btf') ? name.slice(0, -'.btf'.length) : name
  if (releases.includes(stem)) return false
  return name.endsWith('.btf') ? stem !== 'vmlinux' && stem !== 'btf' : /\d+\.\d+/.test(stem)
}

function moduleName (file: string): string {
  const name = file.replace(/\.btf$/, '').replace(/\.ko$/, '')
  if (!isSegment(name) || name === 'vmlinux') throw invalid(`The archive has a file ${JSON.stringify(file)}, which is no module's name.`)
  return name
}

function get (members: Members, name: string): Uint8Array {
  const bytes = members.get(name)
  if (bytes === undefined) throw new AppError('internal_error', `There is no member ${name}.`)
  return bytes
}

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
