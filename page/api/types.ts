import type { KernelTypesJson, ObjectTypesJson, TypeDefinition, TypeHistoryJson } from '../../src/wire/types.js'
import type { NamedType } from '../model/compare-types.js'
import { readJson, Refusal, type Send } from './request.js'

/** The types of a name that a kernel has; none where it has no such type. */
export async function getKernelTypes (
  send: Send,
  kernel: string,
  { kind, essential }: NamedType,
  signal: AbortSignal
): Promise<readonly TypeDefinition[]> {
  return await getTypes(send, `kernels/${kernel}/types/${kind}/${essential}`, signal)
}

/** The types of a name that a program was compiled with. */
export async function getObjectTypes (
  send: Send,
  sha256: string,
  { kind, name }: NamedType,
  signal: AbortSignal
): Promise<readonly TypeDefinition[]> {
  return await getTypes(send, `objects/${sha256}/types/${kind}/${name}`, signal)
}

/** Where a member was in all kernels that the service holds. */
export async function getHistory (
  send: Send,
  { kind, essential }: NamedType,
  member: string,
  signal: AbortSignal
): Promise<TypeHistoryJson> {
  const query = new URLSearchParams({ type: `${kind} ${essential}`, member, kernels: '*' })
  return await readJson(await send(`types/history?${query}`, json(signal)))
}

const json = (signal: AbortSignal): RequestInit => ({ headers: { accept: 'application/json' }, signal })

async function getTypes (send: Send, path: string, signal: AbortSignal): Promise<readonly TypeDefinition[]> {
  try {
    return (await readJson<KernelTypesJson | ObjectTypesJson>(await send(path, json(signal)))).types
  } catch (error) {
    if (error instanceof Refusal && error.code === 'not_found') return []
    throw error
  }
}
