import { AppError } from '../../errors.js'
import type { Evidence } from '../../identity/evidence.js'
import type { ByteReader } from '../byte-reader.js'
import { debEvidence, rpmEvidence } from '../package-evidence.js'
import { isAr } from './ar.js'
import { openDeb } from './deb.js'
import type { Member } from './member.js'
import { isRpm, openRpm } from './rpm.js'

/** A kernel package, .deb or .rpm, that is read as it arrives. */
export interface KernelPackage {
  /** What the package says of the kernel in it. */
  readonly evidence: Evidence
  /** Its files in their order, names without leading `./`. To be read once; leaving the loop ends the unpacking. */
  files(): AsyncGenerator<Member>
}

/** @throws AppError `btf_invalid`, `too_large` */
export async function openPackage (reader: ByteReader): Promise<KernelPackage> {
  const head = await reader.peek(8)
  if (isAr(head)) {
    const { control, files } = await openDeb(reader)
    return { evidence: debEvidence(control), files }
  }
  if (isRpm(head)) {
    const { facts, files } = await openRpm(reader)
    return { evidence: rpmEvidence(facts), files }
  }
  throw new AppError('btf_invalid', 'The file is neither a .deb nor an .rpm package.')
}
