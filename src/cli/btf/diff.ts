import type { Btf } from '../../btf/btf.js'
import { diffKernels } from '../../c-types/diff-kernels.js'
import { formatTypeName, type TypeName } from '../../c-types/named-types.js'
import { parseQuery } from '../../identity/reference.js'
import { sha256 } from '../../store/sha256.js'
import type { KernelOfTypes, TypesDiffJson } from '../../wire/types.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { parseTarget } from '../parse-target.js'
import { CACHE_OPTION, requireOneCache, requireServerFor, SERVER_OPTIONS } from '../target-options.js'
import { findTarget, placesOf } from '../target.js'
import type { Places, TargetRequest } from '../target-request.js'
import { paintFor } from '../terminal.js'
import { parseType, TYPE_MEANING, TYPE_NOTE } from '../type-operand.js'
import { diffText } from '../types-text.js'

export const spec: CommandSpec = {
  name: 'btf diff',
  operand: 'TYPE',
  operandMeaning: TYPE_MEANING,
  summary: 'Says how a type differs between two kernels: what was added, removed, moved, resized, retyped and renamed.',
  options: {
    from: {
      short: 'f',
      value: 'REF',
      help: 'The one kernel: <distro>/<distro_version>/<arch>/<kernel_release>, or a bare release (uname -r).'
    },
    to: { short: 't', value: 'REF', help: 'The other. Default: the running kernel.' },
    btf: {
      short: 'b',
      value: 'FILE',
      repeatable: true,
      help: 'BTF of a kernel instead: raw, or a file that has it (vmlinux, vmlinuz, .btf.tar.xz, .deb, .rpm). Once it stands for --from, ' +
        'given again for --to.'
    },
    ...CACHE_OPTION,
    ...SERVER_OPTIONS,
    json: { help: 'Print JSON instead, with the members that are the same in both.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    TYPE_NOTE,
    'Places are in bytes; that of a bitfield is written byte:bit. A member counts as renamed only where that is sure.',
    'Exit codes: 0 the type is the same in both; 1 it differs; 2 wrong use; 3 a kernel is unknown, or neither has the type.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  requireServerFor(spec, options, ['token-file'])
  requireOneCache(spec, options)
  const wanted = parseType(spec, options.operand)
  const diff = options.has('server') ? await diffRemotely(options, wanted) : await diffHere(options, wanted)
  process.stdout.write(options.has('json') ? `${JSON.stringify(diff, null, 2)}\n` : diffText(diff, paintFor(process.stdout)))
  return diff.is_same ? ExitCode.OK : ExitCode.FINDING
}

async function diffRemotely (options: Arguments, wanted: TypeName): Promise<TypesDiffJson> {
  if (options.has('btf')) {
    throw usageError(spec, 'With --server, name the kernels by --from and --to; the service compares those that it has.')
  }
  const [from, to] = ['from', 'to'].map(name => {
    const reference = options.get(name)
    if (reference === undefined) throw usageError(spec, 'With --server, name both kernels: --from REF --to REF.')
    parseQuery({ kernelRelease: reference })
    return reference
  })
  const { createRemoteClient } = await import('../remote-client.js')
  return await createRemoteClient(options).diffTypes({ from: from ?? '', to: to ?? '', type: formatTypeName(wanted) })
}

async function diffHere (options: Arguments, wanted: TypeName): Promise<TypesDiffJson> {
  const [before, after] = targetsOf(options)
  const places = placesOf(options)
  const [from, to] = [await readKernel(before, places), await readKernel(after, places)]
  const { isSame, types } = diffKernels(from.vmlinux, to.vmlinux, wanted)
  return { type: formatTypeName(wanted), from: from.kernel, to: to.kernel, is_same: isSame, types }
}

/** Which kernels are meant. */
function targetsOf (options: Arguments): readonly [TargetRequest, TargetRequest] {
  const [first, second, ...others] = options.getAll('btf')
  if (others.length > 0) throw usageError(spec, 'Give --btf twice at most: for the one kernel, and for the other.')
  if (first !== undefined && options.has('from')) throw usageError(spec, 'Give the one kernel by --from or by --btf, not by both.')
  if (second !== undefined && options.has('to')) {
    throw usageError(spec, 'Give the other kernel by --to or by the second --btf, not by both.')
  }
  if (first === undefined && !options.has('from')) throw usageError(spec, 'Name the kernel to compare with: --from REF, or --btf FILE.')
  const target = (btf: string | undefined, kernel: string | undefined): TargetRequest =>
    ({ btf: btf === undefined ? [] : [btf], kernel, modules: [] })
  return [target(first, options.get('from')), target(second, options.get('to'))]
}

async function readKernel (request: TargetRequest, places: Places): Promise<{ readonly kernel: KernelOfTypes, readonly vmlinux: Btf }> {
  const target = await findTarget(request, places)
  return {
    kernel: { kernel: target.kernel ?? target.vmlinux.name, btf_sha256: sha256(target.vmlinux.bytes), source: target.source },
    vmlinux: parseTarget(target).vmlinux
  }
}
