import { parseObject } from '../../core/index.js'
import { minimiseBtf } from '../../min-btf/min-btf.js'
import { sha256 } from '../../store/sha256.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { about, ofEach, readInput } from '../files.js'
import { parseTarget } from '../parse-target.js'
import { writeResult } from '../relocation-output.js'
import { CACHE_OPTION, requireOneCache, requireOneTarget, requireServerFor, SERVER_OPTIONS, TARGET_OPTIONS } from '../target-options.js'
import { findTarget, placesOf } from '../target.js'
import { say } from '../terminal.js'

export const spec: CommandSpec = {
  name: 'btf min',
  operand: 'OBJECT',
  takesMany: true,
  summary: 'Makes the smallest BTF with which objects relocate as with the kernel\'s whole one, for loaders that take a BTF file.',
  options: {
    output: { short: 'o', value: 'OUT', help: 'Where the BTF goes; - is standard output. A file is written whole or not at all.' },
    ...TARGET_OPTIONS,
    ...CACHE_OPTION,
    ...SERVER_OPTIONS,
    json: { help: 'Print what was made as JSON on standard output: kernel, bytes, sha256.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'libbpf takes the file as btf_custom_path (bpf_object_open_opts), in place of /sys/kernel/btf/vmlinux. What needs the BTF of the ' +
    'running kernel itself (fentry, kfuncs, struct_ops) needs it all the same.',
    'Exit codes: 0 done; 1 libbpf would refuse an object for that kernel; 2 wrong use; 3 the kernel is unknown, or a file cannot be read.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  const output = options.get('output')
  if (output === undefined) throw usageError(spec, 'Say where the BTF goes: -o OUT, or -o - for standard output.')
  if (output === '-' && process.stdout.isTTY) {
    throw usageError(spec, 'BTF is binary and standard output is a terminal; give -o a file, or send the output elsewhere.')
  }
  if (output === '-' && options.has('json')) {
    throw usageError(spec, 'The BTF and the JSON cannot both go to standard output; give -o a file, or leave --json out.')
  }
  requireServerFor(spec, options, ['token-file'])
  requireOneCache(spec, options)
  requireOneTarget(spec, options)
  const { bytes, kernel } = options.has('server') ? await minimiseRemotely(options) : await minimiseHere(options)
  writeResult(output, bytes)
  const { length } = options.operands
  if (options.has('json')) process.stdout.write(`${JSON.stringify({ kernel, bytes: bytes.length, sha256: sha256(bytes) }, null, 2)}\n`)
  say(`${bytes.length} bytes of BTF of ${kernel}, for ${length} object${length === 1 ? '' : 's'}`)
  return ExitCode.OK
}

interface Minimised {
  readonly bytes: Uint8Array
  readonly kernel: string
}

async function minimiseHere (options: Arguments): Promise<Minimised> {
  const objects = ofEach(options.operands, 'object', path => about(path, () => parseObject(readInput(path, 'object'))))
  const target = await findTarget(
    { btf: options.getAll('btf'), kernel: options.get('kernel'), modules: options.getList('modules') },
    placesOf(options))
  const { vmlinux, modules } = parseTarget(target)
  return { bytes: minimiseBtf(objects, vmlinux, { modules, names: options.operands }), kernel: target.kernel ?? target.vmlinux.name }
}

async function minimiseRemotely (options: Arguments): Promise<Minimised> {
  const [{ createRemoteClient }, { askWithOwnBtf, findRemoteTarget }] =
    await Promise.all([import('../remote-client.js'), import('../remote-target.js')])
  const client = createRemoteClient(options)
  const target = await findRemoteTarget(options)
  const wanted = { objects: ofEach(options.operands, 'object', path => readInput(path, 'object')), modules: options.getList('modules') }
  const bytes = await askWithOwnBtf(target, async kernel => await client.minimiseBtf({ ...wanted, ...kernel }))
  return { bytes, kernel: target.name }
}
