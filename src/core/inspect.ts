import type { ByteOrder } from '../bytes/byte-order.js'
import { readCoreRelo } from '../btf/ext.js'
import { sourceLines } from '../btf/line-info.js'
import { newWork, type Work } from '../btf/work.js'
import { isProgramSection } from '../elf/functions.js'
import { BPF_INSN } from '../insn/insn.js'
import { describeRecord } from './describe.js'
import type { DescribedProgram, DescribedRelocation } from './described.js'
import { kernelBtfNeeds } from './kernel-btf.js'
import { coreReloKindName } from './kinds.js'
import { findFunction, isAutoloaded, type BpfObject } from './object.js'
import { accessStrings } from './records.js'

/** What an object contains, before any kernel is looked at. */
export interface Inspection {
  readonly byte_order: ByteOrder
  readonly sections: ReadonlyArray<{ readonly name: string, readonly bytes: number, readonly executable: boolean }>
  readonly programs: readonly InspectedProgram[]
  readonly relocations: readonly InspectedRelocation[]
}

export type InspectedRelocation = DescribedRelocation

export interface InspectedProgram extends DescribedProgram {
  /** Instruction slots of 8 bytes. */
  readonly instructions: number
  /** False for `?` sections, whose programs libbpf loads only when asked. */
  readonly autoload: boolean
}

/**
 * Lists an object's sections, programs and CO-RE relocations, each with its C access path and source line. Pure.
 *
 * @param work steps for all access paths together; once they are used up, an access is shown as its string
 * @throws AppError `object_invalid` where the access strings are too long altogether
 */
export function inspectObject (object: BpfObject, work: Work = newWork()): Inspection {
  const { elf } = object
  const relocations = inspectRelocations(object, work)
  const counts = new Map<string, number>()
  for (const { section, program } of relocations) {
    if (program !== null) counts.set(nameIn(section, program), (counts.get(nameIn(section, program)) ?? 0) + 1)
  }
  const needsOf = kernelBtfNeeds(object)
  return {
    byte_order: elf.byteOrder,
    sections: elf.sections.slice(1).map(section => ({ name: section.name, bytes: section.size, executable: isProgramSection(section) })),
    programs: elf.functions.map(fn => ({
      name: fn.name,
      section: fn.section.name,
      instructions: fn.size / BPF_INSN.SIZE,
      autoload: isAutoloaded(fn),
      needs_kernel_btf: needsOf(fn),
      relocations: counts.get(nameIn(fn.section.name, fn.name)) ?? 0
    })),
    relocations
  }
}

/** No name has a NUL in it. */
function nameIn (section: string, program: string): string { return `${section}\0${program}` }

function inspectRelocations ({ ext, btf, elf }: BpfObject, work: Work): InspectedRelocation[] {
  const subsection = ext?.coreRelo
  if (ext === undefined || subsection === undefined) return []
  const lineOf = sourceLines(ext, btf)
  const accessAt = accessStrings(btf)
  const described = new Map<string, ReturnType<typeof describeRecord>>()
  return subsection.blocks.flatMap(block => {
    const section = elf.sectionsByName.get(block.sectionName)?.[0]
    return Array.from({ length: block.count }, (_, i): InspectedRelocation => {
      const relo = readCoreRelo(ext, subsection, block, i)
      const fn = section === undefined ? undefined : findFunction(elf, section.index, relo.insnOff)
      const kind = coreReloKindName(relo.kind)
      const accessSpec = accessAt(relo.accessStrOff)
      const access = `${relo.typeId} ${relo.accessStrOff} ${kind}`
      const text = described.get(access) ?? describeRecord(btf, { typeId: relo.typeId, accessSpec, kind }, work)
      described.set(access, text)
      return {
        program: fn?.name ?? null,
        section: block.sectionName,
        instruction: Math.floor((relo.insnOff - (fn?.start ?? 0)) / BPF_INSN.SIZE),
        kind,
        ...text,
        access_spec: accessSpec,
        source: lineOf(block.sectionName, relo.insnOff) ?? null
      }
    })
  })
}
