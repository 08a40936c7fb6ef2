import { basename } from 'node:path'
import { inspectObject, parseObject, type InspectedProgram, type InspectedRelocation, type Inspection } from '../core/index.js'
import { warnOfObject } from '../core/warnings.js'
import { parseArguments, type CommandSpec } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { about, readInput } from './files.js'
import { objectNames } from './object-names.js'
import { sourceLine, type Paint } from './report-text.js'
import { printable, sourceTable, table } from './table.js'
import { painted, paintFor, widthOf } from './terminal.js'
import { warnOfObjects } from './object-warnings.js'
import { count } from '../wire/words.js'

export const spec: CommandSpec = {
  name: 'inspect',
  operand: 'OBJECT',
  summary: 'Lists the programs, sections and CO-RE relocations of an eBPF object, ' +
    'each relocation with its access in C and its source line.',
  options: {
    json: { help: 'Print JSON instead of tables.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: ['OBJECT is an eBPF ELF file as clang -g makes it; - reads it from standard input.']
}

export function run (args: readonly string[]): ExitCode {
  const options = parseArguments(spec, args)
  const input = readInput(options.operand, 'object')
  const object = about(options.operand, () => parseObject(input))
  const inspection = about(options.operand, () => inspectObject(object))
  process.stdout.write(options.has('json')
    ? `${JSON.stringify(inspection, null, 2)}\n`
    : inspectionText(options.operand, inspection, paintFor(process.stdout)))
  warnOfObjects(objectNames([options.operand]).map(name => ({ name, warning: warnOfObject(object) })))
  return ExitCode.OK
}

function inspectionText (path: string, inspection: Inspection, paint: Paint): string {
  const { sections, programs, relocations } = inspection
  const name = path === '-' ? 'standard input' : basename(path)
  const unowned = relocations.filter(({ program }) => program === null)
  const rows = sections.map(section => [printable(section.name), String(section.bytes), section.executable ? 'yes' : ''])
  const counts = `${count(programs.length, 'program')}, ${count(relocations.length, 'relocation')}`
  return [
    `${paint('bold', printable(name))}: ${inspection.byte_order}-endian, ${counts}`,
    '',
    ...painted(table(['SECTION', 'BYTES', 'CODE'], rows, '  '), paint),
    '',
    ...programs.flatMap(program => [
      programHeading(program, paint),
      ...relocationTable(relocations.filter(relocation =>
        relocation.program === program.name && relocation.section === program.section), paint),
      ''
    ]),
    ...(unowned.length === 0
      ? []
      : [paint('bold', 'Outside any program (left behind by a linker; no loader looks at them)'), ...relocationTable(unowned, paint), ''])
  ].join('\n')
}

function programHeading (program: InspectedProgram, paint: Paint): string {
  const facts = [count(program.instructions, 'instruction'), count(program.relocations, 'relocation')]
  if (!program.autoload) facts.push('loaded only when asked for')
  if (program.needs_kernel_btf !== null) facts.push(`needs kernel BTF: ${printable(program.needs_kernel_btf)}`)
  return `${paint('bold', printable(program.name))} (${printable(program.section)}): ${facts.join(', ')}`
}

function relocationTable (relocations: readonly InspectedRelocation[], paint: Paint): string[] {
  if (relocations.length === 0) return []
  return painted(sourceTable(['INSN', 'KIND', 'ACCESS', 'SPEC', 'SOURCE'], relocations.map(relocation => [
    String(relocation.instruction),
    relocation.kind,
    printable(relocation.access),
    printable(relocation.access_spec),
    relocation.source === null ? '-' : `${sourceLine(relocation.source)}  ${printable(relocation.source.text)}`
  ]), '  ', widthOf(process.stdout)), paint)
}
