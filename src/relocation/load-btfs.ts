import type { BtfAccess } from '../kernels/btf-access.js'
import type { SharedBtf } from '../store/btf-memory.js'
import { mapInTurn } from '../workers/in-turn.js'
import type { Target } from './targets.js'

/** The BTFs of a target, vmlinux first. Those in memory are there without waiting. */
export async function loadBtfs (btfs: BtfAccess, target: Target): Promise<SharedBtf[]> {
  const base = btfs.peek(target.btf) ?? await btfs.load(target.btf)
  if (target.modules.length === 0) return [base]
  return [base, ...await mapInTurn(target.modules, hash => btfs.load(hash, base))]
}
