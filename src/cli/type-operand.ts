import { parseTypeName, type TypeName } from '../c-types/named-types.js'
import { usageError, type CommandSpec } from './arguments.js'

export const TYPE_MEANING = "'struct task_struct', 'enum pid_type', or a typedef's name"

/** How TYPE is written, for the text of --help. */
export const TYPE_NOTE = `TYPE is written as in C: ${TYPE_MEANING}.`

/** @throws AppError `invalid_request` for what is no type */
export function parseType (spec: CommandSpec, text: string): TypeName {
  const wanted = parseTypeName(text)
  if (wanted !== undefined) return wanted
  throw usageError(spec, `"${text}" is no type; write it as C does: 'struct task_struct', 'enum pid_type', or a typedef's name.`)
}
