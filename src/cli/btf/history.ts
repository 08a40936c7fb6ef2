import { formatTypeName, type TypeName } from '../../c-types/named-types.js'
import { didYouMean } from '../../c-types/require-types.js'
import { createTypeHistories } from '../../kernel-types/type-history.js'
import type { TypeHistoryJson } from '../../wire/types.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { ExitCode } from '../exit-code.js'
import { openLocalKernels } from '../local-kernels.js'
import { CACHE_OPTION, requireOneCache, requireServerFor, SERVER_OPTIONS } from '../target-options.js'
import type { Places } from '../target-request.js'
import { placesOf } from '../target.js'
import { paintFor, say } from '../terminal.js'
import { parseType, TYPE_MEANING, TYPE_NOTE } from '../type-operand.js'
import { historyText } from '../types-text.js'
import { nearMembers } from './near-members.js'

export const spec: CommandSpec = {
  name: 'btf history',
  operand: 'TYPE',
  operandMeaning: TYPE_MEANING,
  summary: 'Says in which releases a type, or a member of it, was where, over all kernels that are held.',
  options: {
    member: {
      short: 'm',
      value: 'PATH',
      help: "The member, as C writes it (state, se.vruntime), or an enumerator. Default: the type's size."
    },
    kernels: {
      short: 'k',
      value: 'PATTERN',
      repeatable: true,
      help: 'Kernels: <distro>/<distro_version>/<arch>/<kernel_release> or a release (uname -r), with * for any text within a part. ' +
        "Default: '*', every kernel in the cache, or that the service holds."
    },
    ...CACHE_OPTION,
    ...SERVER_OPTIONS,
    json: { help: 'Print JSON instead of a table.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    TYPE_NOTE,
    'A member is found where it went, too: by its later or earlier name, and within an embedded struct. A guess is marked "perhaps".',
    'Places are in bytes; that of a bitfield is written byte:bit, and -> stands for one behind a pointer.',
    'corelo btf sync and corelo btf import fill the local cache. The running kernel counts as well.',
    'Exit codes: 0 done; 1 none of the kernels has the member, by whatever name; 2 wrong use; ' +
    '3 no kernel is held or none has the type, or some kernels were left out, as standard error says.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  requireServerFor(spec, options, ['token-file'])
  requireOneCache(spec, options)
  const wanted = parseType(spec, options.operand)
  const member = options.get('member') ?? null
  if (member !== null && !MEMBER.test(member)) {
    throw usageError(spec, `"${member}" is no member; write its path as C does, with dots: state, se.vruntime.`)
  }
  const patterns = options.has('kernels') ? options.getAll('kernels') : ['*']
  const history = options.has('server')
    ? await findRemotely(options, wanted, member, patterns)
    : await findHere(placesOf(options), wanted, member, patterns)
  process.stdout.write(options.has('json') ? `${JSON.stringify(history, null, 2)}\n` : historyText(history, paintFor(process.stdout)))
  for (const { reason, kernels, examples } of history.left_out) {
    say(kernels === 0 ? reason : `${kernels} ${kernels === 1 ? 'kernel is' : 'kernels are'} left out (${examples.join(', ')}): ${reason}`)
  }
  if (history.left_out.length > 0) return ExitCode.CANNOT_TELL
  if (member === null || history.ranges.some(({ state }) => state === 'present')) return ExitCode.OK
  const near = await nearMembers(options, wanted, member, history)
  say(`${noMember(history)}${didYouMean(near)}`)
  return ExitCode.FINDING
}

function noMember ({ type, member, kernels }: TypeHistoryJson): string {
  const what = `${type.startsWith('enum ') ? 'enumerator' : 'member'} ${member}`
  return kernels === 1 ? `The ${type} of the kernel has no ${what}.` : `None of the ${kernels} kernels has a ${type} with ${what}.`
}

/** As the service takes it. */
const MEMBER = /^[A-Za-z_]\w{0,255}(?:\.[A-Za-z_]\w{0,255}){0,7}$/

async function findRemotely (
  options: Arguments,
  wanted: TypeName,
  member: string | null,
  kernels: readonly string[]
): Promise<TypeHistoryJson> {
  const { createRemoteClient } = await import('../remote-client.js')
  return await createRemoteClient(options).typeHistory({ type: formatTypeName(wanted), member, kernels })
}

/** Nobody else waits: all that is asked for is read. */
const LIMITS = { reads: Infinity, timeMs: Infinity, patterns: Infinity }

async function findHere (
  places: Places, wanted: TypeName, member: string | null, patterns: readonly string[]
): Promise<TypeHistoryJson> {
  const { index, trustUploads, threads, pool, tables, glance, close } = await openLocalKernels(places)
  try {
    const histories = createTypeHistories({ index, trustUploads, tables, pool, glance, concurrency: threads, limits: LIMITS })
    return await histories.find({ wanted, member, kernels: patterns }, new AbortController().signal)
  } finally {
    await close()
  }
}
