import type { CommandSpec } from './arguments.js'
import { wrapText } from './table.js'

const WIDTH = 100

/** The text that `corelo COMMAND --help` prints. */
export function commandHelp (spec: CommandSpec): string {
  const operand = spec.isOperandOptional === true ? `[${spec.operand}]` : spec.operand
  const usage = `Usage: corelo ${spec.name}${operand === undefined ? '' : ` ${operand}`} [OPTION...]`
  const options = Object.entries(spec.options).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `
    return [`  ${short}--${name}${option.value === undefined ? '' : ` ${option.value}`}`, option.help] as const
  })
  const notes = (spec.notes ?? []).map(note => wrapText(note, WIDTH).join('\n'))
  return [usage, wrapText(spec.summary, WIDTH).join('\n'), `Options:\n${definitions(options)}`, ...notes].join('\n\n') + '\n'
}

/** Terms with their explanations beside them, wrapped. */
export function definitions (entries: ReadonlyArray<readonly [term: string, text: string]>): string {
  const indent = Math.min(32, Math.max(...entries.map(([term]) => term.length)) + 2)
  return entries.flatMap(([term, text]) => {
    const lines = wrapText(text, WIDTH - indent)
    const head = term.length + 2 > indent ? [term] : []
    return [...head, ...lines.map((line, i) => `${i === 0 && head.length === 0 ? term.padEnd(indent) : ' '.repeat(indent)}${line}`)]
  }).join('\n')
}
