import type { Btf } from './btf.js'
import type { BtfExt, BtfExtBlock } from './ext.js'
import { BPF_LINE_INFO } from './layout.js'
import { shownText } from './shown-text.js'

/** Where an instruction comes from in the program's source. */
export interface SourceLine {
  /** As the compiler was given it. */
  readonly file: string
  readonly line: number
  /** The line's text, blanks kept; empty where the compiler did not keep it. */
  readonly text: string
}

/** Looks up source lines of one object. Instructions of one line record have the same line, as long as there are not very many. */
export type SourceLines = (sectionName: string, insnOff: number) => SourceLine | undefined

/** They follow from the object alone, which is reported on for many kernels. */
const known = new WeakMap<BtfExt, SourceLines>()

/** A look-up over `.BTF.ext`'s line_info: the last record at or before the instruction, as the kernel's verifier log uses it. */
export function sourceLines (ext: BtfExt | undefined, btf: Btf): SourceLines {
  if (ext === undefined) return () => undefined
  let lines = known.get(ext)
  if (lines === undefined) known.set(ext, lines = createLines(ext, btf))
  return lines
}

function createLines (ext: BtfExt, btf: Btf): SourceLines {
  const bySection = new Map<string, Records>()
  let blocks: ReadonlyMap<string, readonly BtfExtBlock[]> | undefined
  const textAt = rememberedTexts(btf)
  const lines = new Map<number, SourceLine>()
  return (sectionName, insnOff) => {
    let records = bySection.get(sectionName)
    if (records === undefined) bySection.set(sectionName, records = readRecords(ext, (blocks ??= blocksOf(ext)).get(sectionName) ?? []))
    const offset = lastAtOrBefore(ext, records, insnOff)
    if (offset === undefined) return undefined
    const known = lines.get(offset)
    if (known !== undefined) return known
    const line = readLine(ext, offset, textAt)
    if (lines.size < MAX_TEXTS) lines.set(offset, line)
    return line
  }
}

/** By section: mostly one block each. */
function blocksOf ({ lineInfo }: BtfExt): ReadonlyMap<string, readonly BtfExtBlock[]> {
  const blocks = new Map<string, BtfExtBlock[]>()
  for (const block of lineInfo?.blocks ?? []) {
    const known = blocks.get(block.sectionName)
    if (known === undefined) blocks.set(block.sectionName, [block])
    else known.push(block)
  }
  return blocks
}

/** A section's records in the order of their instructions. */
interface Records {
  readonly count: number
  /** Byte offset in `.BTF.ext`. */
  readonly at: (index: number) => number
}

function readRecords (ext: BtfExt, blocks: readonly BtfExtBlock[]): Records {
  const [block] = blocks
  if (block === undefined) return { count: 0, at: () => 0 }
  const size = ext.lineInfo?.recordSize ?? 0
  if (blocks.length === 1 && isSorted(ext, block, size)) return { count: block.count, at: index => block.offset + index * size }
  const offsets = blocks.flatMap(({ offset, count }) => Array.from({ length: count }, (_, i) => offset + i * size))
    .sort((a, b) => insnOffOf(ext, a) - insnOffOf(ext, b))
  return { count: offsets.length, at: index => offsets[index] ?? 0 }
}

function isSorted (ext: BtfExt, { offset, count }: BtfExtBlock, size: number): boolean {
  let last = 0
  for (let i = 0; i < count; i++) {
    const insnOff = insnOffOf(ext, offset + i * size)
    if (insnOff < last) return false
    last = insnOff
  }
  return true
}

function insnOffOf ({ view, littleEndian }: BtfExt, offset: number): number {
  return view.getUint32(offset + BPF_LINE_INFO.insnOff, littleEndian)
}

function lastAtOrBefore (ext: BtfExt, { count, at }: Records, insnOff: number): number | undefined {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (insnOffOf(ext, at(middle)) <= insnOff) low = middle + 1
    else high = middle
  }
  return low === 0 ? undefined : at(low - 1)
}

/** Texts, and lines, that are kept, since many instructions are of one line, and nearly all of a few files. */
const MAX_TEXTS = 1024

function rememberedTexts (btf: Btf): (offset: number) => string {
  const texts = new Map<number, string>()
  return offset => {
    let text = texts.get(offset)
    if (text === undefined) {
      text = shownText(btf, offset)
      if (texts.size < MAX_TEXTS) texts.set(offset, text)
    }
    return text
  }
}

/** Line records are only shown, so that a string offset out of range shows as nothing instead of failing the object. */
function readLine ({ view, littleEndian }: BtfExt, offset: number, textAt: (offset: number) => string): SourceLine {
  const word = (field: number): number => view.getUint32(offset + field, littleEndian)
  return {
    file: textAt(word(BPF_LINE_INFO.fileNameOff)),
    line: word(BPF_LINE_INFO.lineCol) >>> 10,
    text: textAt(word(BPF_LINE_INFO.lineOff))
  }
}
