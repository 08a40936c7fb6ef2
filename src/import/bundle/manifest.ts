import { AppError } from '../../errors.js'
import { isSegment, parseReference } from '../../identity/reference.js'
import { isSha256, type Sha256 } from '../../store/sha256.js'

/** The first member of every bundle. */
export const MANIFEST_NAME = 'corelo-bundle.json'
const FORMAT = 'corelo-bundle'
const VERSION = 1
const MAX_ENTRIES = 1_000_000

/** A kernel whose BTF is in the bundle, as `<reference>.btf.tar.xz`. */
export interface BundledKernel {
  readonly reference: string
  readonly kernel_version: string | null
  readonly path: string
  readonly btf_sha256: Sha256
  readonly modules: ReadonlyArray<{ readonly name: string, readonly btf_sha256: Sha256 }>
}

/** An object as relocated for one kernel. */
export interface BundledResult {
  readonly reference: string
  /** The name of the object's file. */
  readonly object: string
  readonly object_sha256: Sha256
  readonly btf_sha256: Sha256
  readonly path: string
  readonly sha256: Sha256
  readonly verdict: string
}

/** What is in a bundle, with the hash of every content. Names are those of the HTTP contract. */
export interface Manifest {
  readonly created: string
  readonly engine: string
  readonly kernels: readonly BundledKernel[]
  readonly results: readonly BundledResult[]
}

export function serializeManifest (manifest: Manifest): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...manifest }, null, 2)}\n`
}

/** @throws AppError `btf_invalid` where the text is no manifest that this version reads */
export function parseManifest (text: string): Manifest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new AppError('btf_invalid', `The bundle's ${MANIFEST_NAME} is no JSON.`, {}, { cause: error })
  }
  if (!isFields(json) || json['format'] !== FORMAT || json['version'] !== VERSION) {
    throw new AppError('btf_invalid', `The bundle is of another version than ${VERSION}, which this one reads.`)
  }
  const { created, engine, kernels, results } = json
  if (typeof created !== 'string' || typeof engine !== 'string' || !isList(kernels, isKernel) || !isList(results, isResult)) {
    throw new AppError('btf_invalid', `The bundle's ${MANIFEST_NAME} lacks what it must have.`)
  }
  return { created, engine, kernels, results }
}

type Fields = Readonly<Record<string, unknown>>

function isFields (value: unknown): value is Fields { return typeof value === 'object' && value !== null }

function isList<T> (value: unknown, isItem: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.length <= MAX_ENTRIES && value.every(isItem)
}

function isHash (value: unknown): value is Sha256 { return typeof value === 'string' && isSha256(value) }

function isReference (value: unknown): value is string {
  try {
    return typeof value === 'string' && parseReference(value) !== undefined
  } catch {
    return false
  }
}

function isKernel (value: unknown): value is BundledKernel {
  return isFields(value) && isReference(value['reference']) &&
    (value['kernel_version'] === null || typeof value['kernel_version'] === 'string') && typeof value['path'] === 'string' &&
    isHash(value['btf_sha256']) && isList(value['modules'], isModule)
}

function isModule (value: unknown): value is BundledKernel['modules'][number] {
  return isFields(value) && typeof value['name'] === 'string' && isSegment(value['name']) && isHash(value['btf_sha256'])
}

function isResult (value: unknown): value is BundledResult {
  return isFields(value) && isReference(value['reference']) && typeof value['object'] === 'string' && isSegment(value['object']) &&
    typeof value['path'] === 'string' &&
    isHash(value['object_sha256']) && isHash(value['btf_sha256']) && isHash(value['sha256']) && typeof value['verdict'] === 'string'
}
