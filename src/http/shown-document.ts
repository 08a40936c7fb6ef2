import { release } from 'node:os'
import { formatReference } from '../identity/reference.js'
import type { Service } from '../service/types.js'

interface Field { readonly type?: unknown, readonly format?: unknown, readonly examples?: unknown }
interface Operation {
  readonly description?: string
  readonly parameters?: unknown
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
}
interface Document {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, { readonly properties?: Readonly<Record<string, Field>> }>> }
}

const FORM = 'multipart/form-data'

/**
 * The OpenAPI document as the page shows it, where "Try it out" sends each field that has an example, and makes one up where there
 * is none. A request may have its fields in a form or in the query, and not all of them go together. So the page has the form
 * alone, and fills in one field: the kernel, which is `kernel` where that is known. The page leaves out what is empty.
 */
export function shownDocument (document: Document, kernel: string | undefined): Record<string, unknown> {
  const { '/relocate': { post = {}, ...others } = {}, ...paths } = document.paths ?? {}
  const { RelocateForm: form = {}, ...schemas } = document.components?.schemas ?? {}
  const properties = Object.fromEntries(Object.entries(form.properties ?? {}).map(([name, field]) => [name, fill(name, field, kernel)]))
  return {
    ...document,
    paths: {
      '/relocate': {
        ...others,
        post: {
          ...post,
          parameters: [],
          requestBody: { ...post.requestBody, content: { [FORM]: post.requestBody?.content[FORM] } }
        }
      },
      ...paths
    },
    components: { ...document.components, schemas: { ...schemas, RelocateForm: { ...form, properties } } }
  }
}

function fill (name: string, field: Field, kernel: string | undefined): Field {
  if (name === 'kernel_release') return kernel === undefined ? field : { ...field, examples: [kernel] }
  if (field.type === 'array') return { ...field, examples: [[]] }
  return field.type === 'string' && field.format !== 'binary' ? { ...field, examples: [''] } : field
}

/**
 * Runs in the page before it sends a request: fields that are empty are refused, and the page would send them. Uses nothing of
 * this file.
 */
export function leaveOutEmpty<Sent extends object> (request: Sent): Sent {
  if ('body' in request && request.body instanceof FormData) {
    for (const [name, value] of [...request.body]) if (value === '') request.body.delete(name)
  }
  return request
}

/** A kernel that the service relocates for: the one that it runs on, or else the first of its list. */
export async function findExampleKernel (service: Service): Promise<string | undefined> {
  for (const filter of [{ release: release(), limit: 1 }, { limit: 1 }]) {
    const { kernels: [kernel] } = await service.listKernels(filter)
    if (kernel !== undefined) return formatReference(kernel.reference)
  }
  return undefined
}
