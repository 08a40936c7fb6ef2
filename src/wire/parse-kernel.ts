import type { KernelJson, KernelPageJson } from './kernel.js'

/** The kernel, or undefined where the value is none. Checks what callers rely on, and lets newer services say more. */
export function parseKernel (value: unknown): KernelJson | undefined { return isKernel(value) ? value : undefined }

/** The page, or undefined where the value is none. */
export function parseKernelPage (value: unknown): KernelPageJson | undefined { return isPage(value) ? value : undefined }

function isPage (value: unknown): value is KernelPageJson {
  return typeof value === 'object' && value !== null &&
    'kernels' in value && Array.isArray(value.kernels) && value.kernels.every(isKernel) &&
    'next_cursor' in value && (value.next_cursor === null || typeof value.next_cursor === 'string')
}

function isKernel (value: unknown): value is KernelJson {
  return typeof value === 'object' && value !== null && 'reference' in value && typeof value.reference === 'string' &&
    'btf_sha256' in value && (value.btf_sha256 === null || (typeof value.btf_sha256 === 'string' && HASH.test(value.btf_sha256))) &&
    'source' in value && (value.source === null || typeof value.source === 'string') &&
    'bytes' in value && isCountOrNull(value.bytes) && 'types' in value && isCountOrNull(value.types) &&
    'modules' in value && Array.isArray(value.modules) &&
    (!('published' in value) || isPublished(value.published))
}

function isPublished (value: unknown): boolean {
  return value === null ||
    (typeof value === 'object' &&
      'package' in value && typeof value.package === 'string' &&
      'bytes' in value && typeof value.bytes === 'number')
}

function isCountOrNull (value: unknown): boolean { return value === null || typeof value === 'number' }

const HASH = /^sha256:[0-9a-f]{64}$/
