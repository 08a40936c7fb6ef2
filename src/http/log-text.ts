import { pino } from 'pino'

/** Members of every line that tell a person at a terminal nothing. */
const LEFT_OUT = ['level', 'time', 'pid', 'hostname', 'msg', 'err']
const TIME_OF_DAY = [11, 23] as const
const LEVEL_WIDTH = 5

/** A JSON line of the log as people read it: time of day (UTC), level, message, other members; below it the stack of an error. */
export function toText (line: string): string {
  const { level, time, msg, err, ...members }: Record<string, unknown> = JSON.parse(line)
  const when = new Date(Number(time)).toISOString().slice(...TIME_OF_DAY)
  const severity = (pino.levels.labels[Number(level)] ?? String(level)).toUpperCase().padEnd(LEVEL_WIDTH)
  const facts = Object.entries(members).filter(([name]) => !LEFT_OUT.includes(name)).map(([name, value]) => `${name}=${shown(value)}`)
  const stack = typeof err === 'object' && err !== null && 'stack' in err
    ? String(err.stack).split('\n').map(row => `\n    ${printable(row.trim())}`)
    : []
  return `${[when, severity, printable(String(msg ?? '')), ...facts].join(' ')}${stack.join('')}\n`
}

const shown = (value: unknown): string =>
  typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : printable(JSON.stringify(value))

/** What comes from outside must not steer the terminal. */
function printable (text: string): string {
  return text.replace(/\p{C}/gu, character => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
