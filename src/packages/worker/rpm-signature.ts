import { dataView } from '../../bytes/checked.js'
import { AppError } from '../../errors.js'
import { readKeyring, verifyDetached, type Keyring } from '../signature.js'

/** Tags of the header of signatures (over the header alone), and of the header (hash of the packed payload). */
const RPMSIGTAG_DSA = 267
const RPMSIGTAG_RSA = 268
const RPMTAG_PAYLOADDIGEST = 5092
const RPMTAG_PAYLOADDIGESTALGO = 5093
const PGPHASHALGO_SHA256 = 8

const LEAD_SIZE = 96
const INTRO_SIZE = 16
const ENTRY_SIZE = 16
const TYPE_INT32 = 4
const TYPE_BIN = 7
const TYPE_STRING_ARRAY = 8

/**
 * Checks that one of the keys signed the header of an RPM package, and returns the hash that its payload must have: the chain from the
 * distribution's key to the kernel where the index of the repository is not signed.
 *
 * @param headers the start of the package, up to its payload
 * @returns SHA-256 in hex of the packed payload
 * @throws AppError `source_invalid`
 * @see https://rpm-software-management.github.io/rpm/manual/signatures_digests.html
 */
export async function verifyRpmHeader (
  headers: Uint8Array, signedBy: { readonly keys: readonly Uint8Array[], readonly what: string }
): Promise<string> {
  const { signatures, header } = split(headers)
  const signature = findValue(signatures, RPMSIGTAG_RSA, TYPE_BIN) ?? findValue(signatures, RPMSIGTAG_DSA, TYPE_BIN)
  if (signature === undefined) {
    throw new AppError('source_invalid', 'Neither the package nor the index of its repository is signed.')
  }
  const rings = await Promise.all(signedBy.keys.map(key => readKeyring(key, signedBy.what)))
  const keyring: Keyring = { keys: rings.flatMap(ring => ring.keys), what: signedBy.what }
  await verifyDetached(header, signature, keyring)
  const algorithm = findValue(header, RPMTAG_PAYLOADDIGESTALGO, TYPE_INT32)
  const digest = findValue(header, RPMTAG_PAYLOADDIGEST, TYPE_STRING_ARRAY)
  if (algorithm === undefined || digest === undefined || dataView(algorithm).getUint32(0) !== PGPHASHALGO_SHA256) {
    throw new AppError('source_invalid', 'The header of the package is signed, ' +
      'but does not name a SHA-256 of its content, as in packages made before RPM 4.14.')
  }
  return Buffer.from(digest).toString('latin1')
}

/** The header of signatures follows the lead and is filled up to a multiple of eight; the header is all that follows it. */
function split (headers: Uint8Array): { readonly signatures: Uint8Array, readonly header: Uint8Array } {
  const view = dataView(headers)
  const size = INTRO_SIZE + view.getUint32(LEAD_SIZE + 8) * ENTRY_SIZE + view.getUint32(LEAD_SIZE + 12)
  const start = LEAD_SIZE + size + (8 - size % 8) % 8
  return { signatures: headers.subarray(LEAD_SIZE, LEAD_SIZE + size), header: headers.subarray(start) }
}

/** The value of a tag: bytes of a BIN, the first of an INT32's, the first text of a STRING_ARRAY without its NUL. */
function findValue (header: Uint8Array, tag: number, type: number): Uint8Array | undefined {
  const view = dataView(header)
  const entries = view.getUint32(8)
  const store = INTRO_SIZE + entries * ENTRY_SIZE
  for (let at = INTRO_SIZE; at < store && at + ENTRY_SIZE <= header.length; at += ENTRY_SIZE) {
    if (view.getUint32(at) !== tag || view.getUint32(at + 4) !== type) continue
    const start = store + view.getUint32(at + 8)
    const end = type === TYPE_BIN ? start + view.getUint32(at + 12) : type === TYPE_INT32 ? start + 4 : header.indexOf(0, start)
    return end < start || end > header.length ? undefined : header.subarray(start, end)
  }
  return undefined
}
