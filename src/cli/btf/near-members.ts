import { findTypes, type TypeName } from '../../c-types/named-types.js'
import { defineTypes } from '../../c-types/type-definition.js'
import { AppError } from '../../errors.js'
import { formatReference, type KernelReference } from '../../identity/reference.js'
import { nearNames } from '../../members/near.js'
import { isFields, isText } from '../../wire/guards.js'
import type { TypeHistoryJson } from '../../wire/types.js'
import type { Arguments } from '../arguments.js'
import { parseTarget } from '../parse-target.js'
import { findTarget, placesOf } from '../target.js'

/** Nameless structs within each other that are looked into. */
const MAX_DEPTH = 16

/**
 * What may have been meant by a member that no kernel of a history has, by what the type has in the last one listed. Of a path it is the
 * first part that is looked at. None where the type cannot be had there.
 */
export async function nearMembers (
  options: Arguments, wanted: TypeName, member: string, { ranges }: Pick<TypeHistoryJson, 'ranges'>
): Promise<string[]> {
  const range = ranges.findLast(({ state }) => state === 'missing')
  if (range === undefined) return []
  const { distro, distro_version: distroVersion, arch, last: release } = range
  const [first = '', ...rest] = member.split('.')
  try {
    const types = await definitionsIn({ distro, distroVersion, arch, release }, options, wanted)
    return nearNames(first, namesIn(types)).map(name => [name, ...rest].join('.'))
  } catch (error) {
    if (error instanceof AppError || error instanceof SyntaxError) return [] // what is said without a hint is true
    throw error
  }
}

async function definitionsIn (kernel: KernelReference, options: Arguments, wanted: TypeName): Promise<unknown> {
  if (!options.has('server')) {
    const { vmlinux } = parseTarget(await findTarget({ btf: [], kernel: formatReference(kernel), modules: [] }, placesOf(options)))
    return defineTypes(vmlinux, findTypes(vmlinux, wanted), wanted.kind)
  }
  const { createRemoteClient } = await import('../remote-client.js')
  const answer: unknown = JSON.parse(await createRemoteClient(options).kernelTypes(kernel, { form: 'json', ...wanted }))
  return isFields(answer) ? answer['types'] : undefined
}

/** The members and enumerators of types as answers define them. What is nothing of the kind has none. */
function namesIn (types: unknown, depth = 0): string[] {
  if (!Array.isArray(types) || depth > MAX_DEPTH) return []
  return types.filter(isFields)
    .flatMap(type => [type['members'], type['enumerators']])
    .flatMap(list => Array.isArray(list) ? list.filter(isFields) : [])
    .flatMap(part => isText(part['name']) ? [part['name']] : namesIn([part], depth + 1))
}
