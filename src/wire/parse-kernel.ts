import { isFields, isListOf, isNumberOrNull, isText, isTextOrNull } from './guards.js'
import type { KernelJson, KernelPageJson } from './kernel.js'

/** The kernel, or undefined where the value is none. Checks what callers rely on, and lets newer services say more. */
export function parseKernel (value: unknown): KernelJson | undefined { return isKernel(value) ? value : undefined }

/** The page, or undefined where the value is none. */
export function parseKernelPage (value: unknown): KernelPageJson | undefined { return isPage(value) ? value : undefined }

function isPage (value: unknown): value is KernelPageJson {
  return isFields(value) && isListOf(value['kernels'], isKernel) && isTextOrNull(value['next_cursor'])
}

function isKernel (value: unknown): value is KernelJson {
  if (!isFields(value)) return false
  const { btf_sha256: hash, modules, published } = value
  return isText(value['reference']) && (hash === null || (isText(hash) && HASH.test(hash))) && isTextOrNull(value['source']) &&
    isNumberOrNull(value['bytes']) && isNumberOrNull(value['types']) && Array.isArray(modules) &&
    (!('published' in value) || isPublished(published))
}

function isPublished (value: unknown): boolean {
  return value === null || (isFields(value) && isText(value['package']) && typeof value['bytes'] === 'number')
}

const HASH = /^sha256:[0-9a-f]{64}$/
