import { writeHeader } from '../../c-types/header.js'
import { parseTypeName, requireTypes, type TypeName } from '../../c-types/named-types.js'
import { defineType, writeType } from '../../c-types/type-definition.js'
import type { Btf } from '../../index.js'
import { parseArguments, usageError, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { writeOutput } from '../files.js'
import { parseTarget } from '../parse-target.js'
import { requireOneTarget, TARGET_OPTIONS } from '../target-options.js'
import { findTarget, placesFrom } from '../target.js'

export const spec: CommandSpec = {
  name: 'btf types',
  operand: 'TYPE',
  operandMeaning: "'struct task_struct', 'enum pid_type', or a typedef's name",
  isOperandOptional: true,
  summary: 'Prints a type of a kernel as C, each member with its place in bytes; without TYPE all types as a header: vmlinux.h.',
  options: {
    kernel: TARGET_OPTIONS.kernel,
    btf: {
      short: 'b',
      value: 'FILE',
      help: "The kernel's BTF instead: raw, or a file that has it (vmlinux, vmlinuz, .btf.tar.xz, .deb, .rpm)."
    },
    output: { short: 'o', value: 'OUT', help: 'Where the text goes. Default: standard output.' },
    json: { help: 'Print the type as JSON instead.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'The place of a bitfield is written byte:bit. A kernel may have several types of one name: all of them are printed.',
    'Exit codes: 0 done; 2 wrong use; 3 the kernel or the type is unknown, or a file cannot be read.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  requireOneTarget(spec, options)
  const isWhole = options.operand === ''
  if (isWhole && options.has('json')) throw usageError(spec, '--json prints one type: say which.')
  const wanted = isWhole ? undefined : parseType(options.operand)
  const target = await findTarget({ btf: options.getAll('btf'), kernel: options.get('kernel'), modules: [] }, placesFrom(process.env))
  const { vmlinux } = parseTarget(target)
  const text = wanted === undefined
    ? writeHeader(vmlinux)
    : textOf(vmlinux, wanted, options.has('json'), target.kernel ?? target.vmlinux.name)
  const output = options.get('output')
  if (output === undefined || output === '-') process.stdout.write(text)
  else writeOutput(output, Buffer.from(text))
  return ExitCode.OK
}

function parseType (text: string): TypeName {
  const wanted = parseTypeName(text)
  if (wanted !== undefined) return wanted
  throw usageError(spec, `"${text}" is no type; write it as C does: 'struct task_struct', 'enum pid_type', or a typedef's name.`)
}

function textOf (btf: Btf, wanted: TypeName, isJson: boolean, kernel: string): string {
  const ids = requireTypes(btf, wanted, kernel)
  return isJson
    ? `${JSON.stringify(ids.map(id => defineType(btf, id, wanted.kind)), null, 2)}\n`
    : ids.map(id => writeType(btf, id, wanted.kind)).join('\n')
}
