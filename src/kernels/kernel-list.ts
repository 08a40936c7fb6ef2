import { AppError } from '../errors.js'
import { normalizeArch } from '../identity/arch.js'
import type { OfferedKernel, OfferedKernels } from './catalog/offered-kernels.js'
import { inForce, matchesName, type KernelNarrowing } from './matches.js'
import { buildsOf } from './merge-records.js'
import type { KernelIndex } from './kernel-index.js'
import { recordKey, type KernelRecord } from './kernel-record.js'
import { isSha256 } from '../store/sha256.js'
import { formatReference, isSegment, type KernelReference } from '../identity/reference.js'
import type { KernelEntry, KernelFilter, KernelPage, OfferedEntry } from './types.js'

const MAX_PAGE = 1000

/**
 * A page of the kernels that are held and of those that sources are known to have, in the order of their references. One
 * that is both is shown as held: once for each content that was supplied under its name.
 *
 * @throws AppError `invalid_request` for a cursor that is none
 */
export function listKernels (index: KernelIndex, offered: OfferedKernels, filter: KernelFilter): KernelPage {
  const limit = Math.min(Math.max(1, filter.limit), MAX_PAGE)
  const after = filter.cursor === undefined ? undefined : parseCursor(filter.cursor)
  const page: Array<KernelEntry | OfferedEntry> = []
  for (const entry of merged(heldKernels(index, offered, filter, after), offeredKernels(index, offered, filter, after))) {
    const last = page.at(-1)
    if (filter.offered === true && entry.state === 'held' && !isOffered(offered, entry.reference)) continue
    if (page.length === limit && last !== undefined) return { kernels: page, nextCursor: formatCursor(last) }
    page.push(entry)
  }
  return { kernels: page, nextCursor: null }
}

function isOffered (offered: OfferedKernels, reference: KernelReference): boolean {
  return offered.byRelease(reference.release).some(kernel => matchesName(reference, kernel.reference))
}

/** A held kernel as callers see it, with the sources that are known to have it too. */
export function toEntry (record: KernelRecord, offered: OfferedKernels): KernelEntry {
  const sources = offered.byRelease(record.reference.release)
    .filter(({ reference }) => matchesName(record.reference, reference))
    .flatMap(kernel => kernel.sources)
  return {
    ...record,
    state: 'held',
    sources: [...new Set([...buildsOf(record).map(({ source }) => source), ...sources])],
    modules: record.modules.map(({ name, btfSha256, bytes, source }) => ({ name, btfSha256, bytes, source }))
  }
}

function * heldKernels (
  index: KernelIndex,
  offered: OfferedKernels,
  filter: KernelFilter,
  after: string | undefined
): Generator<KernelEntry> {
  const narrowing = narrowingOf(filter)
  for (const record of filter.release === undefined ? index.list() : index.byRelease(filter.release)) {
    if (after !== undefined && recordKey(record) <= after) continue
    if (!matchesName(narrowing, record.reference)) continue
    if (inForce(index.named(record.reference)).includes(record)) yield toEntry(record, offered)
  }
}

function * offeredKernels (
  index: KernelIndex,
  offered: OfferedKernels,
  filter: KernelFilter,
  after: string | undefined
): Generator<OfferedEntry> {
  const kernels = filter.release === undefined
    ? offered.list(narrowingOf(filter), after === undefined ? undefined : referenceIn(after))
    : ofRelease(offered, filter.release, filter, after)
  for (const { reference, sources } of kernels) {
    if (index.byRelease(reference.release).some(record => matchesName(record.reference, reference))) continue
    yield { reference, state: 'offered', sources }
  }
}

function ofRelease (offered: OfferedKernels, release: string, filter: KernelFilter, after: string | undefined): OfferedKernel[] {
  const narrowing = narrowingOf(filter)
  return offered.byRelease(release)
    .filter(({ reference }) => matchesName(narrowing, reference) &&
      (after === undefined || formatReference(reference) > referenceIn(after)))
    .sort((a, b) => formatReference(a.reference) < formatReference(b.reference) ? -1 : 1)
}

function narrowingOf ({ distro, distroVersion, arch }: KernelFilter): KernelNarrowing {
  return {
    ...(distro === undefined ? {} : { distro }),
    ...(distroVersion === undefined ? {} : { distroVersion }),
    ...(arch === undefined ? {} : { arch: normalizeArch(arch) })
  }
}

/** Two sequences that are each in the order of their references, as one. */
function * merged<A extends { readonly reference: KernelReference }, B extends { readonly reference: KernelReference }> (
  left: Iterator<A>,
  right: Iterator<B>
): Generator<A | B> {
  let [a, b] = [left.next(), right.next()]
  while (a.done !== true || b.done !== true) {
    if (b.done === true || (a.done !== true && formatReference(a.value.reference) <= formatReference(b.value.reference))) {
      if (a.done === true) return
      yield a.value
      a = left.next()
    } else {
      yield b.value
      b = right.next()
    }
  }
}

/** What is only offered was shown with all rows that its name may get meanwhile: `~` is behind every hash. */
const ALL_ROWS = '~'

/** The cursor is the last row shown, so that a page stays right when kernels are added meanwhile. Opaque to callers. */
function formatCursor (entry: KernelEntry | OfferedEntry): string {
  return Buffer.from(entry.state === 'held' ? recordKey(entry) : `${formatReference(entry.reference)} ${ALL_ROWS}`).toString('base64url')
}

function referenceIn (after: string): string { return after.split(' ', 1)[0] ?? '' }

function parseCursor (cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString()
  const [reference = '', hash] = text.split(' ')
  const parts = reference.split('/')
  if (parts.length !== 4 || !parts.every(isSegment) || (hash !== undefined && hash !== ALL_ROWS && !isSha256(hash))) {
    throw new AppError('invalid_request', 'The cursor is not one that this service gave.', { field: 'cursor' })
  }
  return text
}
