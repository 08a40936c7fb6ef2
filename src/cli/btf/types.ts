import { writeHeader } from '../../c-types/header.js'
import { requireTypes } from '../../c-types/require-types.js'
import { searchTypes } from '../../c-types/search.js'
import { defineTypes, writeDefinitions, type WantedTypes } from '../../c-types/type-definition.js'
import type { FoundType } from '../../wire/types.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { writeOutput } from '../files.js'
import { parseTarget } from '../parse-target.js'
import { CACHE_OPTION, requireOneCache, requireOneTarget, requireServerFor, SERVER_OPTIONS, TARGET_OPTIONS } from '../target-options.js'
import { findTarget, placesOf } from '../target.js'
import { paintFor } from '../terminal.js'
import { parseType, TYPE_MEANING, TYPE_NOTE } from '../type-operand.js'
import { foundTypesText } from '../types-text.js'

export const spec: CommandSpec = {
  name: 'btf types',
  operand: 'TYPE',
  operandMeaning: TYPE_MEANING,
  isOperandOptional: true,
  summary: 'Prints a type of a kernel as C, each member with its place in bytes; without TYPE all types as a header: vmlinux.h.',
  options: {
    kernel: TARGET_OPTIONS.kernel,
    btf: {
      short: 'b',
      value: 'FILE',
      help: "The kernel's BTF instead: raw, or a file that has it (vmlinux, vmlinuz, .btf.tar.xz, .deb, .rpm)."
    },
    search: { value: 'PREFIX', help: 'List the types whose names begin so instead.' },
    member: { value: 'NAME', help: 'List the types that have a member or an enumerator of this name instead.' },
    ...CACHE_OPTION,
    ...SERVER_OPTIONS,
    output: { short: 'o', value: 'OUT', help: 'Where the text goes. Default: standard output.' },
    json: { help: 'Print JSON instead.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    TYPE_NOTE,
    'The place of a bitfield is written byte:bit. A kernel may have several types of one name: all of them are printed.',
    'Exit codes: 0 done; 2 wrong use; 3 the kernel or the type is unknown, or a file cannot be read.'
  ]
}

/** What is printed: types themselves, or which there are. */
type Wanted = WantedTypes | { readonly form: 'search', readonly prefix: string, readonly member: string | undefined }

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  requireServerFor(spec, options, ['token-file'])
  requireOneCache(spec, options)
  requireOneTarget(spec, options)
  const wanted = wantedOf(options)
  const text = options.has('server') ? await askService(options, wanted) : await readHere(options, wanted)
  const output = options.get('output')
  if (output === undefined || output === '-') process.stdout.write(text)
  else writeOutput(output, Buffer.from(text))
  return ExitCode.OK
}

function wantedOf (options: Arguments): Wanted {
  const { operand } = options
  if (options.has('search') || options.has('member')) {
    if (operand !== '') throw usageError(spec, '--search and --member list types: leave TYPE out.')
    const [prefix = '', member] = [options.get('search'), options.get('member')]
    for (const name of [prefix, member]) {
      if (name !== undefined && name !== '' && !NAME.test(name)) throw usageError(spec, `"${name}" is no name that C has.`)
    }
    return { form: 'search', prefix, member }
  }
  if (operand !== '') return { form: options.has('json') ? 'json' : 'c', ...parseType(spec, operand) }
  if (options.has('json')) throw usageError(spec, '--json prints one type: say which.')
  return { form: 'header' }
}

const NAME = /^[A-Za-z_]\w{0,255}$/

async function readHere (options: Arguments, wanted: Wanted): Promise<string> {
  const target = await findTarget({ btf: options.getAll('btf'), kernel: options.get('kernel'), modules: [] }, placesOf(options))
  const { vmlinux } = parseTarget(target)
  if (wanted.form === 'header') return writeHeader(vmlinux)
  if (wanted.form === 'search') {
    return foundText(searchTypes(vmlinux, { ...wanted, kind: undefined, after: undefined, limit: Infinity }).types, options)
  }
  const ids = requireTypes(vmlinux, wanted, target.kernel ?? target.vmlinux.name)
  return wanted.form === 'json'
    ? jsonText(defineTypes(vmlinux, ids, wanted.kind))
    : writeDefinitions(vmlinux, ids, wanted.kind)
}

async function askService (options: Arguments, wanted: Wanted): Promise<string> {
  if (options.has('btf')) throw usageError(spec, 'With --server, name the kernel by --kernel; the service reads those that it has.')
  const [{ createRemoteClient }, { findServedKernel }] = await Promise.all([import('../remote-client.js'), import('../served-kernel.js')])
  const client = createRemoteClient(options)
  const kernel = await findServedKernel(client, options.get('kernel'))
  if (wanted.form !== 'search') return await client.kernelTypes(kernel, wanted)
  const { prefix: name, member } = wanted
  const types: FoundType[] = []
  for (let cursor: string | undefined, isLast = false; !isLast;) {
    const page = await client.searchTypes(kernel, { ...name === '' ? {} : { name }, member, cursor })
    types.push(...page.types)
    isLast = page.next_cursor === null
    cursor = page.next_cursor ?? undefined
  }
  return foundText(types, options)
}

function foundText (types: readonly FoundType[], options: Arguments): string {
  return options.has('json') ? jsonText(types) : foundTypesText(types, options.has('output') ? (_, text) => text : paintFor(process.stdout))
}

function jsonText (value: unknown): string { return `${JSON.stringify(value, null, 2)}\n` }
