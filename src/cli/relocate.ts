import { applyPatches, parseObject, relocate, type Relocation } from '../core/index.js'
import { AppError } from '../errors.js'
import { sha256 } from '../store/sha256.js'
import { headOf } from '../relocation/report.js'
import { describeRelocation, kernelSymbols, type RelocationReport } from '../report/index.js'
import { compileLater } from '../workers/compile-later.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from './arguments.js'
import { ExitCode } from './exit-code.js'
import { about, readInput } from './files.js'
import { printForPeople, writeResult } from './relocation-output.js'
import { parseTarget } from './parse-target.js'
import { CACHE_OPTION, requireOneCache, requireOneTarget, requireServerFor, SERVER_OPTIONS, TARGET_OPTIONS } from './target-options.js'
import { findTarget, placesOf } from './target.js'
import type { TargetBtf } from './target-request.js'
import { parseAssumptions, resolveAssumptions } from '../verdict/index.js'
import { count } from '../wire/words.js'

export const spec: CommandSpec = {
  name: 'relocate',
  operand: 'OBJECT',
  summary: 'Relocates an eBPF object for a kernel, as libbpf would on that kernel, ' +
    'so that any loader can load it there with nothing left to relocate.',
  options: {
    output: {
      short: 'o',
      value: 'OUT',
      help: 'Where the relocated object goes; - is standard output. A file is written whole or not at all.'
    },
    ...TARGET_OPTIONS,
    'kernel-release': {
      value: 'RELEASE',
      help: 'With --btf, which does not say it: the release of that kernel (uname -r). For the verdict only: what its verifier decides, ' +
        'and LINUX_KERNEL_VERSION. Default: the newest verifier, and a version that is not known.'
    },
    'on-unresolved': {
      value: 'poison|fail',
      help: 'What to do when a program may reach an instruction that has no value in that kernel: ' +
        'poison it as libbpf does (default), or refuse the object.'
    },
    assume: {
      value: 'NAME=VALUE',
      repeatable: true,
      help: 'A value that user space or the kernel configuration will have set: of a .rodata variable, a part of one ' +
        '(CFG.enabled, CFG+18), or a .kconfig extern. For the verdict only. Default: what the object has.'
    },
    ...CACHE_OPTION,
    server: {
      short: 's',
      value: 'URL',
      help: 'Let a service do it, which knows the kernels: nothing is relocated here. Default: here, without a service.'
    },
    'token-file': SERVER_OPTIONS['token-file'],
    keys: { value: 'FILE', help: 'With --server: public keys (JWKS) of which one must have signed the result.' },
    json: { help: 'Print the report as JSON on standard output.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'What is said about the object goes to standard error: each relocation without a value with its source line, then a summary. ' +
    'On a terminal, tables of all relocations come first.',
    'OBJECT - is standard input.',
    'Exit codes: 0 relocated; 1 the object fails on that kernel; 2 wrong use; ' +
    '3 undecided (the kernel is unknown, a file cannot be read, the service is down).'
  ]
}

/** Of the verdict. No other request waits here, so that guards which take following way by way get ten times a service's steps. */
const STEPS = 4_000_000

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  checkCombination(options)
  const input = readInput(options.operand, 'object')
  if (options.has('server')) return await (await import('./relocate-remotely.js')).relocateRemotely(options, input)
  compileLater()
  const object = about(options.operand, () => parseObject(input))
  const assume = resolveAssumptions(object, parseAssumptions(options.getAll('assume')))
  const request = {
    btf: options.getAll('btf'),
    btfRelease: options.get('kernel-release'),
    kernel: options.get('kernel'),
    modules: options.getList('modules')
  }
  const target = await findTarget(request, placesOf(options))
  const { vmlinux, modules } = parseTarget(target)

  const relocation = relocate(object, vmlinux, { modules })
  const report = describeRelocation(object, relocation, {
    kernelRelease: target.kernel?.split('/').at(-1),
    assume,
    steps: STEPS,
    hasKernelSymbol: kernelSymbols([vmlinux, ...modules])
  })
  const bytes = relocation.patches === undefined ? undefined : applyPatches(object.bytes, relocation.patches)
  const refusal = refusalOf(relocation, report, options.get('on-unresolved') === 'fail')
  printForPeople(options.operand, report, target.kernel ?? target.vmlinux.name)

  if (refusal === undefined && bytes !== undefined) writeResult(options.get('output'), bytes)
  if (options.has('json')) process.stdout.write(`${JSON.stringify(fullReport(input, target, bytes, report), null, 2)}\n`)
  if (refusal !== undefined) throw refusal
  return report.verdict === 'fails' ? ExitCode.FINDING : ExitCode.OK
}

function checkCombination (options: Arguments): void {
  const output = options.get('output')
  const onUnresolved = options.get('on-unresolved')
  if (output === undefined && !options.has('json')) {
    throw usageError(spec,
      'Say where the relocated object goes: -o OUT, or -o - for standard output; --json alone prints the report only.')
  }
  if (output === '-' && options.has('json')) {
    throw usageError(spec, 'The report and the object cannot both go to standard output; give -o a file, or leave --json out.')
  }
  if (output === '-' && process.stdout.isTTY) {
    throw usageError(spec, 'The object is binary and standard output is a terminal; give -o a file, or send the output elsewhere.')
  }
  if (onUnresolved !== undefined && onUnresolved !== 'poison' && onUnresolved !== 'fail') {
    throw usageError(spec, `--on-unresolved is poison or fail, not ${onUnresolved}.`)
  }
  requireServerFor(spec, options, ['token-file', 'keys'])
  requireOneCache(spec, options)
  requireOneTarget(spec, options)
  if (options.has('kernel-release') && !options.has('btf')) {
    throw usageError(spec, 'Option --kernel-release goes with --btf. A kernel that is named by --kernel has its release in its name.')
  }
}

/** Why no object is written, if that is so. */
function refusalOf (
  relocation: Relocation,
  { verdict, programs, relocations }: RelocationReport,
  failsOnUnresolved: boolean
): AppError | undefined {
  if (!relocation.ok) {
    const refused = count(relocation.counts.failed, 'relocation')
    return new AppError('relocation_failed',
      `The object cannot be relocated for this kernel: libbpf would refuse ${refused} of it. Nothing was written.`)
  }
  if (failsOnUnresolved && verdict !== 'loads') {
    const poisoned = relocations.filter(({ status }) => status === 'poisoned')
    const reached = poisoned.flatMap(({ places }) => places.filter(({ reachable }) => reachable !== false)).length
    if (reached === 0) {
      const reason = programs.find(program => program.verdict === verdict)?.verdict_reason ?? 'A program does not load.'
      return new AppError('unresolved_reachable',
        `${reason} Nothing was written; leave --on-unresolved fail out to get the object as libbpf would make it.`)
    }
    const known = verdict === 'unknown' ? 'may be reached: that is not known, which counts as reachable' : 'can be reached'
    return new AppError('unresolved_reachable',
      `${count(reached, 'relocation')} without a value in this kernel ${known}. Nothing was written; ` +
      'guard the access with bpf_core_field_exists(), ' +
      'or leave --on-unresolved fail out to get the object as libbpf would make it.')
  }
  return undefined
}

/** The report as the service gives it. `result` is null where the object is refused. */
function fullReport (input: Uint8Array, target: TargetBtf, bytes: Uint8Array | undefined, report: RelocationReport): object {
  const { byte_order: byteOrder, changed_instructions: changedInstructions, ...members } = report
  return {
    ...headOf({
      object: { sha256: sha256(input), bytes: input.length },
      kernel: {
        reference: target.kernel, btf_sha256: sha256(target.vmlinux.bytes), build_id: target.buildId ?? null, source: target.source
      },
      result: bytes === undefined ? null : { sha256: sha256(bytes), bytes: bytes.length }
    }, { byteOrder, changedInstructions }),
    ...members
  }
}
