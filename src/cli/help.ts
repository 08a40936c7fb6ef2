import type { CommandSpec } from './arguments.js'
import { wrapText } from './table.js'
import { columnsOf } from './terminal.js'

const WIDEST = 100
const NARROWEST = 40
/** Share of a line that options may take. */
const TERM_SHARE = 3

/** Characters of a line: as many as a narrow terminal has. */
function lineWidth (): number {
  return Math.max(NARROWEST, Math.min(WIDEST, columnsOf(process.stdout) ?? WIDEST))
}

/** The text that `corelo COMMAND --help` prints. */
export function commandHelp (spec: CommandSpec): string {
  const operand = spec.operand === undefined || spec.takesMany !== true ? spec.operand : `${spec.operand}...`
  const shown = spec.isOperandOptional === true ? `[${operand}]` : operand
  const usage = `Usage: corelo ${spec.name}${shown === undefined ? '' : ` ${shown}`} [OPTION...]`
  const options = Object.entries(spec.options).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `
    return [`  ${short}--${name}${option.value === undefined ? '' : ` ${option.value}`}`, option.help] as const
  })
  const width = lineWidth()
  const notes = (spec.notes ?? []).map(note => wrapText(note, width).join('\n'))
  return [usage, wrapText(spec.summary, width).join('\n'), `Options:\n${definitions(options)}`, ...notes].join('\n\n') + '\n'
}

/** Terms with their explanations beside them, wrapped. */
export function definitions (entries: ReadonlyArray<readonly [term: string, text: string]>): string {
  const width = lineWidth()
  const indent = Math.min(32, Math.floor(width / TERM_SHARE), Math.max(...entries.map(([term]) => term.length)) + 2)
  return entries.flatMap(([term, text]) => {
    const lines = wrapText(text, width - indent)
    const head = term.length + 2 > indent ? [term] : []
    return [...head, ...lines.map((line, i) => `${i === 0 && head.length === 0 ? term.padEnd(indent) : ' '.repeat(indent)}${line}`)]
  }).join('\n')
}
