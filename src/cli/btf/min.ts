import { parseObject } from '../../core/index.js'
import { AppError } from '../../errors.js'
import { minimiseBtf } from '../../min-btf/min-btf.js'
import { readNetwork } from '../../network/network.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { about, readInput } from '../files.js'
import { parseTarget } from '../parse-target.js'
import { writeResult } from '../relocation-output.js'
import { findTarget, placesFrom } from '../target.js'
import { say } from '../terminal.js'

export const spec: CommandSpec = {
  name: 'btf min',
  operand: 'OBJECT',
  takesMany: true,
  summary: 'Makes the smallest BTF with which objects relocate as with the kernel\'s whole one, for loaders that take a BTF file.',
  options: {
    output: { short: 'o', value: 'OUT', help: 'Where the BTF goes; - is standard output. A file is written whole or not at all.' },
    kernel: {
      short: 'k',
      value: 'REF',
      help: 'The kernel: <distro>/<distro_version>/<arch>/<kernel_release>, or a bare release (uname -r). Default: the running kernel.'
    },
    btf: {
      short: 'b',
      value: 'FILE',
      repeatable: true,
      help: "The kernel's BTF instead: raw, or a file that has it (vmlinux, vmlinuz, .btf.tar.xz, .deb, .rpm). " +
        'Give it again for the split BTF of modules: vmlinux first.'
    },
    modules: { short: 'm', value: 'A,B', help: 'Kernel modules of which the BTF has to have what the objects use, too.' },
    server: { short: 's', value: 'URL', help: 'Let a service do it, which knows the kernels. Default: here.' },
    'token-file': { value: 'FILE', help: 'With --server: file with the token to send.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'libbpf takes the file as btf_custom_path (bpf_object_open_opts), in place of /sys/kernel/btf/vmlinux. What needs the BTF of the ' +
    'running kernel itself (fentry, kfuncs, struct_ops) needs it all the same.',
    'The kernel is looked for in the running kernel and in the local cache, the folder in CORELO_CACHE_DIR (default: btfhub-cache).',
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
  if (options.has('btf') && options.has('kernel')) throw usageError(spec, 'Give the kernel by --kernel or by --btf, not by both.')
  if (options.has('btf') && options.has('modules')) {
    throw usageError(spec, 'With --btf, give the BTF of modules as further --btf FILE after that of vmlinux; --modules goes with --kernel.')
  }
  if (options.has('token-file') && !options.has('server')) throw usageError(spec, 'Option --token-file goes with --server.')
  const { bytes, kernel } = options.has('server') ? await minimiseRemotely(options) : await minimiseHere(options)
  writeResult(output, bytes)
  const { length } = options.operands
  say(`${bytes.length} bytes of BTF of ${kernel}, for ${length} object${length === 1 ? '' : 's'}`)
  return ExitCode.OK
}

interface Minimised {
  readonly bytes: Uint8Array
  readonly kernel: string
}

async function minimiseHere (options: Arguments): Promise<Minimised> {
  const objects = options.operands.map(path => about(path, () => parseObject(readInput(path, 'object'))))
  const target = await findTarget(
    { btf: options.getAll('btf'), kernel: options.get('kernel'), modules: options.getList('modules') },
    placesFrom(process.env))
  const { vmlinux, modules } = parseTarget(target)
  return { bytes: minimiseBtf(objects, vmlinux, { modules, names: options.operands }), kernel: target.kernel ?? target.vmlinux.name }
}

async function minimiseRemotely (options: Arguments): Promise<Minimised> {
  const [{ createClient }, { findRemoteTarget }] = await Promise.all([import('../../client/client.js'), import('../remote-target.js')])
  const client = createClient({
    server: options.get('server') ?? '',
    tokenFile: options.get('token-file'),
    network: readNetwork(process.env)
  })
  const { name, request, ownBtf } = await findRemoteTarget(options)
  const wanted = {
    ...request,
    objects: options.operands.map(path => readInput(path, 'object')),
    modules: options.getList('modules')
  }
  const bytes = await client.minimiseBtf(wanted).catch(async (error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'btf_unknown' || ownBtf === undefined) throw error
    return await client.minimiseBtf({ ...wanted, btfSha256: undefined, btf: [readInput(ownBtf, 'BTF file')] })
  })
  return { bytes, kernel: name }
}
