import { applyPatches } from '../core/index.js'
import { AppError } from '../errors.js'
import { sha256 } from '../store/sha256.js'
import type { ProveResultTask } from './protocol.js'

/** Whether the patches make of the object what has the result's digest. */
export function proveResult ({ object, result: { patches, sha256: expected } }: Omit<ProveResultTask, 'kind'>): boolean {
  try {
    return sha256(applyPatches(object, patches)) === expected
  } catch (error) {
    if (error instanceof AppError && error.code === 'object_invalid') return false
    throw error
  }
}
