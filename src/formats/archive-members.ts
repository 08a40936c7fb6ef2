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
 * Tells what the files of a tar archive are: `<release>.btf`, as BTFHub packs one; several of these; else `vmlinux` with a file
 * for each module; else files of a kernel by their paths; else the only file there is.
 *
 * @param release of the archive's own name, where it has one
 * @throws AppError `btf_invalid`
 */
export function chooseMembers (members: readonly ArchiveMember[], release: string | undefined): ChosenMember[] {
  const named = members.flatMap(member => {
    const stem = /^(?:.*\/)?([^/]+)\.btf$/.exec(member.name)?.[1]
    return stem !== undefined && isSegment(stem) && stem !== 'vmlinux' ? { ...member, release: stem } : []
  })
  if (release !== undefined) {
    const own = named.find(member => member.release === release)
    if (own !== undefined) return [own]
    const [other] = named
    if (other !== undefined) throw new AppError('btf_invalid', `The archive has the BTF of another kernel than its name says: ${JSON.stringify(other.release)}.`)
  } else if (named.length > 0) {
    return named
  }
  const vmlinux = members.find(({ name }) => /^(?:.*\/)?vmlinux(?:\.btf)?$/.test(name) && kernelFileOf(withoutDot(name)) === undefined)
  if (vmlinux !== undefined) {
    const modules = members.filter(member => member !== vmlinux).flatMap(member => {
      const stem = /^(?:.*\/)?([^/]+?)(?:\.ko)?(?:\.btf)?$/.exec(member.name)?.[1]
      return stem !== undefined && isSegment(stem) ? { ...member, module: moduleName(stem) } : []
    })
    return [{ ...vmlinux }, ...modules]
  }
  const files = members.flatMap(member => {
    const file = kernelFileOf(withoutDot(member.name))
    return file === undefined ? [] : { ...member, release: file.release, module: file.kind === 'module' ? file.module : undefined }
  })
  if (files.length > 0) return files
  const [only, ...others] = members
  if (only === undefined) throw new AppError('btf_invalid', 'The archive has no file in it.')
  if (others.length > 0) throw new AppError('btf_invalid', `The archive has ${members.length} files, none of which is a kernel's: neither <release>.btf, nor vmlinux, nor below boot/ or lib/modules/.`)
  return [only]
}

function withoutDot (name: string): string { return name.replace(/^(?:\.?\/)+/, '') }
