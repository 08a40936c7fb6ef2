import { AppError } from '../errors.js'
import { isSegment } from '../identity/reference.js'
import { kernelFileOf, moduleName } from './kernel-files.js'

interface ArchiveMember {
  readonly name: string
  readonly bytes: Uint8Array
}

interface ChosenMember extends ArchiveMember {
  /** Undefined for the kernel itself. */
  readonly module?: string | undefined
  /** Where the member's name tells. */
  readonly release?: string | undefined
}

/**
 * Tells what the files of a tar archive are: `<release>.btf`, as BTFHub packs one; else `vmlinux` with a file for each module; else
 * several `<release>.btf`; else files of a kernel by their paths; else the only file there is. Raw BTF does not say whose it is,
 * so that a file which names another kernel is refused.
 *
 * @param releases that the archive may be of, where that is known; else empty
 * @throws AppError `btf_invalid`
 */
export function chooseMembers (members: readonly ArchiveMember[], releases: readonly string[]): ChosenMember[] {
  const named = members.flatMap(member => {
    const stem = /^(?:.*\/)?([^/]+)\.btf$/.exec(member.name)?.[1]
    return stem !== undefined && isSegment(stem) && stem !== 'vmlinux' && stem !== 'btf' ? { ...member, release: stem } : []
  })
  const own = named.filter(({ release }) => releases.includes(release))
  const [first] = own
  if (first !== undefined) {
    const other = named.find(({ release }) => release !== first.release)
    if (other !== undefined) throw invalid(`The archive has several kernels' BTF (${first.release}.btf and ${other.release}.btf).`)
    if (own.length > 1) throw invalid(`The archive has two files ${quote(`${first.release}.btf`)}.`)
    return own
  }
  const vmlinux = members.find(({ name }) => /^(?:.*\/)?vmlinux(?:\.btf)?$/.test(name) && kernelFileOf(withoutDot(name)) === undefined)
  if (vmlinux !== undefined) return [vmlinux, ...modulesOf(members.filter(member => member !== vmlinux))]
  if (named.length > 0) {
    if (releases.length > 0) throw anotherKernel(named[0]?.name ?? '', releases)
    return named
  }
  const files = members.flatMap(member => {
    const file = kernelFileOf(withoutDot(member.name))
    return file === undefined ? [] : { ...member, release: file.release, module: file.kind === 'module' ? file.module : undefined }
  })
  if (files.length > 0) return files
  const [only, ...others] = members
  if (only === undefined) throw invalid('The archive has no files.')
  if (others.length > 0) {
    throw invalid(`The archive has ${members.length} files, and none belongs to a kernel: ` +
      `none is ${wantedNames(releases)}, vmlinux, or below boot/ or lib/modules/.`)
  }
  const name = baseName(only.name)
  if (releases.length > 0 && !releases.includes(name) && /\d+\.\d+/.test(name)) throw anotherKernel(name, releases)
  return [only]
}

/** Files beside vmlinux, each named after a module. */
function modulesOf (members: readonly ArchiveMember[]): ChosenMember[] {
  const names = new Set<string>()
  return members.flatMap(member => {
    const stem = baseName(member.name).replace(/\.btf$/, '').replace(/\.ko$/, '')
    if (!isSegment(stem) || stem === 'vmlinux') return []
    const module = moduleName(stem)
    if (names.has(module)) throw invalid(`The archive has two files of module ${module}.`)
    names.add(module)
    return { ...member, module }
  })
}

function anotherKernel (name: string, releases: readonly string[]): AppError {
  return invalid(`The archive has the BTF of another kernel: ${baseName(name).slice(0, 128)}, not ${wantedNames(releases)}.`)
}

function wantedNames (releases: readonly string[]): string {
  return releases.length === 0 ? '<release>.btf' : [...new Set(releases)].map(release => `${release}.btf`).join(' or ')
}

function baseName (name: string): string { return name.split('/').at(-1) ?? name }

function withoutDot (name: string): string { return name.replace(/^(?:\.?\/)+/, '') }

function quote (name: string): string { return JSON.stringify(name.slice(0, 128)) }

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
