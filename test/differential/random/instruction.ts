import { assembler, type AccessSize } from '../../support/asm.js'
import { overwrite } from '../../support/byte-writer.js'
import type { ReloName } from '../../support/object-builder.js'
import type { Features } from './case.js'
import type { Random } from './random.js'
import { elementOf, sizeOf, strip } from './types.js'
import type { Walk } from './walk.js'

/** What the instruction has to hold, and what it is about. */
export interface Value {
  readonly value: bigint
  readonly walk: Walk | undefined
}

const SIZES: Partial<Record<number, AccessSize>> = { 1: 'b', 2: 'h', 4: 'w', 8: 'dw' }
const ANY_SIZE: readonly AccessSize[] = ['b', 'h', 'w', 'dw']
const asm = assembler('little')

/** An instruction for a relocation: mostly one that a compiler would write, holding what it would write. */
export function makeInstruction (r: Random, kind: ReloName | number, wanted: Value, features: Features): Uint8Array {
  // What a bitfield's instruction holds is not looked at for most kinds, nor are type ids.
  const isFree = wanted.walk?.isBitfield === true || kind === 'local_type_id' || kind === 'target_type_id'
  const value = r.chance(isFree ? 0.15 : 0.015) ? wanted.value + r.pick([1n, -1n, 0x1_0000_0000n]) : wanted.value
  switch (r.weighted(weightsFor(kind, wanted.walk, features))) {
    case 'memory': return makeAccess(r, value, wanted.walk)
    case 'constant': return r.chance(0.8) ? asm.mov(r.nat(10), int32(value)) : asm.mov32(r.nat(10), int32(value))
    case 'arithmetic': return asm.alu(r.pick(['ADD', 'SUB', 'AND', 'LSH', 'ARSH'] as const), r.nat(10), int32(value))
    case 'wide': return asm.ldImm64(r.nat(10), value)
    case 'other': return makeUnusual(r, value)
  }
}

function weightsFor (kind: ReloName | number, walk: Walk | undefined, features: Features) {
  const memory = features.arrayAccess || !(walk === undefined || !walk.isNamed || strip(walk.end)?.kind === 'array') ? 1 : 0
  switch (kind) {
    case 'byte_off': return { memory: 10 * memory, constant: 3, arithmetic: 3, wide: 0.7, other: 0.3 }
    case 'local_type_id': case 'target_type_id': case 'enumval_value': return {
      memory: 0.1, constant: 2, arithmetic: 0.3, wide: 7, other: 0.2
    }
    default: return { memory: 0.1, constant: 8, arithmetic: 0.7, wide: 0.7, other: 0.2 }
  }
}

/** A load or a store. Its size is that of the field. */
function makeAccess (r: Random, value: bigint, walk: Walk | undefined): Uint8Array {
  const natural = SIZES[sizeOf(elementOf(walk?.end))]
  const size = natural === undefined || r.chance(0.06) ? r.pick(ANY_SIZE) : natural
  const off = Number(BigInt.asIntN(16, value))
  const [dst, src] = [r.nat(10), r.nat(11)]
  switch (r.weighted({ load: 6, store: 2, constant: 2, signed: 0.5, atomic: 0.3 })) {
    case 'load': return asm.ldx(size, dst, src, off)
    case 'store': return asm.stx(size, dst, src, off)
    case 'constant': return asm.st(size, dst, off, r.nat(1000))
    case 'signed': return asm.ldxSigned(size, dst, src, off)
    case 'atomic': return asm.atomic(size, dst, src, off)
  }
}

/** What no relocation should be on, or hardly ever is. */
function makeUnusual (r: Random, value: bigint): Uint8Array {
  return r.pick([
    () => asm.movReg(1, 2),
    () => asm.addReg(1, 2),
    () => asm.ja(0),
    () => asm.jeq(1, int32(value), 0),
    () => asm.jeq32(1, int32(value), 0),
    () => asm.call(5),
    () => asm.exit(),
    () => asm.ldAbs('w', int32(value)),
    () => asm.ldImm64(1, value, 1),
    () => overwrite(asm.ldImm64(1, value), 8 + r.nat(4), 1, 1, 'little'),
    () => asm.toLittleEndian(1, int32(value)),
    () => asm.toBigEndian(1, int32(value)),
    () => asm.byteSwap(1, int32(value))
  ])()
}

function int32 (value: bigint): number { return Number(BigInt.asIntN(32, value)) }
