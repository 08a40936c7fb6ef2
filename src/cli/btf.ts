import { AppError } from '../errors.js'
import { findNearest, type CommandSpec } from './arguments.js'
import type { ExitCode } from './exit-code.js'
import { commandHelp, definitions } from './help.js'

interface Subcommand {
  readonly spec: CommandSpec
  run (args: readonly string[]): Promise<ExitCode>
}

const SUBCOMMANDS: Readonly<Record<string, { readonly summary: string, readonly load: () => Promise<Subcommand> }>> = {
  import: {
    summary: 'Take BTF out of images, packages, archives and bundles, into the cache or a service.',
    load: () => import('./btf/import.js')
  },
  list: { summary: 'List the kernels whose BTF is held.', load: () => import('./btf/list.js') },
  sync: { summary: 'Fetch the BTF of published kernels ahead, into the cache or a service.', load: () => import('./btf/sync.js') },
  types: { summary: "Print a kernel's types as C: one, or all of them as vmlinux.h.", load: () => import('./btf/types.js') },
  diff: { summary: 'Say how a type differs between two kernels.', load: () => import('./btf/diff.js') },
  history: { summary: 'Say in which releases a type or member was where.', load: () => import('./btf/history.js') },
  min: { summary: 'Cut the BTF of a kernel down to what objects need.', load: () => import('./btf/min.js') },
  export: { summary: 'Pack BTF, or relocated objects, of kernels into one file.', load: () => import('./btf/export.js') }
}

export const spec: CommandSpec = {
  name: 'btf',
  operand: 'COMMAND',
  summary: 'Imports, lists, fetches, reads, compares, cuts down and exports the BTF of kernels.',
  options: {}
}

export async function run ([name, ...args]: readonly string[]): Promise<ExitCode> {
  if (name === undefined) {
    throw new AppError('invalid_request',
      `corelo btf needs a command: ${Object.keys(SUBCOMMANDS).join(', ').replace(/, (\w+)$/, ' or $1')}. See: corelo btf --help`)
  }
  return await (await load(name)).run(args)
}

export async function help ([name]: readonly string[]): Promise<string> {
  if (name !== undefined && !name.startsWith('-')) return commandHelp((await load(name)).spec)
  const commands = definitions(Object.entries(SUBCOMMANDS).map(([command, { summary }]) => [`  ${command}`, summary] as const))
  return `Usage: corelo btf COMMAND [ARGUMENT...]\n\n${spec.summary}\n\nCommands:\n${commands}\n\n` +
    'After a command, --help prints what it takes.\n'
}

export async function subcommands (): Promise<ReadonlyArray<readonly [name: string, spec: CommandSpec]>> {
  return await Promise.all(Object.entries(SUBCOMMANDS).map(async ([name, { load }]) => [name, (await load()).spec] as const))
}

async function load (name: string): Promise<Subcommand> {
  const entry = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined
  if (entry === undefined) {
    const nearest = findNearest(name, Object.keys(SUBCOMMANDS))
    const end = nearest === undefined ? '.' : `; did you mean ${nearest}?`
    throw new AppError('invalid_request', `corelo btf has no command ${name}${end} See: corelo btf --help`)
  }
  return await entry.load()
}
