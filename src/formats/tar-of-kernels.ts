import { AppError } from '../errors.js'
import { mergeEvidence, type Evidence } from '../identity/evidence.js'
import { chooseMembers } from './archive-members.js'
import { BOUNDS } from './bounds.js'
import { takePieces } from './byte-reader.js'
import { readTar } from './containers/tar.js'
import type { FindOptions, Source } from './find-options.js'
import type { Found } from './found.js'

/** A file to look into, or what was found in a bundle. */
export type TarContent =
  | { readonly found: Found }
  | { readonly bytes: Uint8Array, readonly place: string, readonly evidence: Evidence, readonly module?: string }

/**
 * The files of a tar archive that matter: BTF as BTFHub packs it, the files of a kernel, or what a bundle's own reader makes of it.
 * Where it is known whose archive it is, links and names that lead out of it are refused, although no name is used as a path.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function * readTarOfKernels (source: Source, options: FindOptions): AsyncGenerator<TarContent> {
  const isStrict = options.releases !== undefined
  const archive = readTar(takePieces(source.reader), isStrict ? refuseOther : undefined)
  const members: Array<{ readonly name: string, readonly bytes: Uint8Array }> = []
  const limit = options.maxBtfBytes ?? options.maxBytes ?? BOUNDS.image
  let left = limit
  for await (const member of archive) {
    const bundle = members.length === 0 ? options.openBundle?.(member, archive, source.place, source.depth + 1) : undefined
    if (bundle !== undefined) {
      for await (const found of bundle) yield { found }
      return
    }
    if (isStrict) requireInside(member.name)
    if (members.length === BOUNDS.archiveMembers) {
      const message = `The archive has more than ${BOUNDS.archiveMembers} files.`
      throw new AppError('too_large', message, { limit: BOUNDS.archiveMembers })
    }
    if (member.size > left) throw new AppError('too_large', `The archive holds more than ${limit} bytes.`, { limit })
    left -= member.size
    members.push({ name: member.name, bytes: await member.read() })
  }
  const { release: ofName } = source.evidence
  for (const { name, bytes, module, release } of chooseMembers(members, options.releases ?? (ofName === undefined ? [] : [ofName]))) {
    yield {
      bytes,
      place: `${source.place}: ${name}`,
      evidence: mergeEvidence(source.evidence, { release }),
      ...(module === undefined ? {} : { module })
    }
  }
}

function refuseOther (name: string, kind: string): void {
  if (kind !== 'directory') {
    const shown = JSON.stringify(name.slice(0, 128))
    throw new AppError('btf_invalid', `The archive must have only files, but ${shown} is a ${kind}.`)
  }
}

function requireInside (name: string): void {
  if (name.startsWith('/') || name.split('/').includes('..')) {
    const shown = JSON.stringify(name.slice(0, 128))
    throw new AppError('btf_invalid', `The archive has a file ${shown}, whose path leads out of the archive.`)
  }
}
