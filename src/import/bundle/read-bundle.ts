import { isWithinJsonBounds } from '../../bytes/json-bounds.js'
import { AppError } from '../../errors.js'
import { parseManifest, type BundledKernel, type BundledResult } from './manifest.js'
import { parseReference } from '../../identity/reference.js'
import { sha256, type Sha256 } from '../../store/sha256.js'
import { BOUNDS } from '../../formats/bounds.js'
import type { Member } from '../../formats/containers/member.js'
import type { Evidence } from '../../identity/evidence.js'
import type { Found } from '../../formats/found.js'

/** Looks into one file of a bundle. */
export type Extract = (bytes: Uint8Array, place: string, evidence: Evidence) => AsyncIterable<Found>

/**
 * The content of a bundle of `corelo btf export`: what its manifest lists, each with the hash that the manifest says. Files that
 * it does not list are passed over.
 */
export async function * readBundle (
  manifestText: string, members: AsyncIterable<Member>, place: string, extract: Extract
): AsyncGenerator<Found> {
  const manifest = parseManifest(manifestText)
  const kernels = new Map(manifest.kernels.map(kernel => [kernel.path, kernel]))
  const results = new Map(manifest.results.map(result => [result.path, result]))
  for await (const member of members) {
    const kernel = kernels.get(member.name)
    const result = results.get(member.name)
    if (kernel === undefined && result === undefined) continue
    kernels.delete(member.name)
    results.delete(member.name)
    const inner = `${place}: ${member.name}`
    if (member.size > BOUNDS.image) {
      yield { kind: 'unread', place: inner, reason: `The file has ${member.size} bytes; at most ${BOUNDS.image} are read.` }
      continue
    }
    const bytes = await member.read()
    if (kernel !== undefined) yield * readKernel(kernel, bytes, inner, extract)
    if (result !== undefined) yield readResult(result, bytes, inner)
  }
  for (const path of [...kernels.keys(), ...results.keys()]) {
    yield { kind: 'unread', place: `${place}: ${path}`, reason: 'The manifest of the bundle lists this file, but it is not there.' }
  }
}

async function * readKernel (kernel: BundledKernel, bytes: Uint8Array, place: string, extract: Extract): AsyncGenerator<Found> {
  const { distro, distroVersion, arch, release } = parseReference(kernel.reference)
  const evidence: Evidence = { distro, distroVersion, arch, release, kernelVersion: kernel.kernel_version ?? undefined }
  const expected = new Map<string, Sha256>(kernel.modules.map(module => [module.name, module.btf_sha256]))
  for await (const found of extract(bytes, place, evidence)) {
    const hash = found.kind === 'module' ? expected.get(found.name) : found.kind === 'vmlinux' ? kernel.btf_sha256 : undefined
    const isIntact = (found.kind === 'module' || found.kind === 'vmlinux') && hash === sha256(found.btf)
    yield isIntact || found.kind === 'unread' ? found : { kind: 'unread', place: found.place, reason: ALTERED }
  }
}

function readResult (result: BundledResult, bytes: Uint8Array, place: string): Found {
  if (sha256(bytes) !== result.sha256) return { kind: 'unread', place, reason: ALTERED }
  return { kind: 'result', place, reference: parseReference(result.reference), object: result.object, bytes }
}

/** @throws AppError `too_large` */
export async function readManifestText (member: Member): Promise<string> {
  if (member.size > MAX_MANIFEST_BYTES) {
    throw new AppError('too_large',
      `The manifest of the bundle has ${member.size} bytes; at most ${MAX_MANIFEST_BYTES} are read.`,
      { limit: MAX_MANIFEST_BYTES })
  }
  const bytes = await member.read()
  if (!isWithinJsonBounds(bytes, MANIFEST_BOUNDS)) {
    throw new AppError('too_large',
      `The manifest of the bundle has more than ${MANIFEST_BOUNDS.values} values, ` +
      `or more than ${MANIFEST_BOUNDS.depth} within each other.`,
      { limit: MANIFEST_BOUNDS.values })
  }
  return Buffer.from(bytes).toString('utf8')
}

/** A kernel with four thousand modules takes half a megabyte and 12,000 values: room for five hundred of them. */
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024
const MANIFEST_BOUNDS = { depth: 8, values: 6_000_000 } as const
const ALTERED = 'It does not have the hash that the manifest of the bundle says: it was damaged or altered.'
