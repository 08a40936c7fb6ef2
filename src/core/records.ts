import { textOf, type Btf } from '../btf/btf.js'
import { readCoreRelo, type CoreRelo } from '../btf/ext.js'
import type { ElfFunction } from '../elf/functions.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { BPF_INSN } from '../insn/insn.js'
import { findFunction, type BpfObject } from './object.js'

/** A CO-RE record, the code it belongs to, and what it says in words. */
export interface LocatedRecord extends CoreRelo {
  /** Its place among the object's records, and that of its outcome among the outcomes. */
  readonly index: number
  readonly sectionName: string
  /** Undefined only where the record is too broken to have one. */
  readonly fn: ElfFunction | undefined
  /** Index of the instruction slot within its function. */
  readonly instruction: number
  /** The access string; empty where its offset is out of range. */
  readonly accessSpec: string
}

/** The records of an object that belong to code, in the order of the file. */
export interface LocatedRecords {
  readonly records: readonly LocatedRecord[]
  /** How many belong to none: the static linker leaves records of functions that it dropped, and libbpf passes over them. */
  readonly outside: number
}

/** They follow from the object alone, which is relocated for many kernels. */
const known = new WeakMap<BpfObject, LocatedRecords>()

/** @throws AppError `object_invalid` where two sections have the name that records belong to, or access strings are too long altogether */
export function locateRecords (object: BpfObject): LocatedRecords {
  let located = known.get(object)
  if (located === undefined) {
    located = locate(object)
    known.set(object, located)
  }
  return located
}

function locate ({ ext, elf, btf }: BpfObject): LocatedRecords {
  const subsection = ext?.coreRelo
  const accessAt = accessStrings(btf)
  const records: LocatedRecord[] = []
  let outside = 0
  if (ext === undefined || subsection === undefined) return { records, outside }
  for (const { sectionName, offset, count } of subsection.blocks) {
    const sections = elf.sectionsByName.get(sectionName) ?? []
    const section = sections[0]
    if (sections.length > 1) {
      throw new AppError(
        'object_invalid',
        `The object has ${sections.length} sections named ${sectionName}, so its relocations could belong to any of them.`,
        { section: sectionName }
      )
    }
    for (let i = 0; i < count; i++) {
      const { insnOff, typeId, accessStrOff, kind } = readCoreRelo(ext, subsection, { sectionName, offset, count }, i)
      const isAligned = insnOff % BPF_INSN.SIZE === 0
      const fn = isAligned && section !== undefined ? findFunction(elf, section.index, insnOff) : undefined
      if (fn === undefined && isAligned) {
        outside++
        continue
      }
      const instruction = Math.floor((insnOff - (fn?.start ?? 0)) / BPF_INSN.SIZE)
      records.push({
        index: records.length,
        insnOff,
        typeId,
        accessStrOff,
        kind,
        sectionName,
        fn,
        instruction,
        accessSpec: accessAt(accessStrOff)
      })
    }
  }
  return { records, outside }
}

/**
 * Access strings by their offset, each made once: thousands of records share a few hundred. Empty for an offset past the strings.
 * Strings may lie within each other, so that the size of their table bounds nothing.
 *
 * @throws AppError `object_invalid` where they have more than LIMITS.namesBytes altogether
 */
export function accessStrings (btf: Btf): (offset: number) => string {
  const texts = new Map<number, string>()
  let left: number = LIMITS.namesBytes
  return offset => {
    let text = texts.get(offset)
    if (text === undefined) {
      text = offset < btf.strLen ? textOf(btf, offset) : ''
      left -= text.length
      if (left < 0) {
        throw new AppError(
          'object_invalid',
          `The access strings of the object's relocations have more than ${LIMITS.namesBytes} bytes altogether.`,
          { section: '.BTF.ext', limit: LIMITS.namesBytes }
        )
      }
      texts.set(offset, text)
    }
    return text
  }
}
