import { stripVTControlCharacters } from 'node:util'

/** Columns side by side, each as wide as its widest cell, two spaces between. Trailing space is left out. */
export function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>, indent = ''): string[] {
  const widths = head.map((title, column) => Math.max(...[title, ...rows.map(row => row[column] ?? '')].map(widthOf)))
  const padded = (cell: string, column: number): string => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell))
  return [head, ...rows].map(row => indent + row.map(padded).join(GAP).trimEnd())
}

/**
 * The same where the last column has lines of source, which may be cut: to what the others leave of a terminal's width, within limits.
 *
 * @param width of the terminal; undefined where there is none
 */
export function sourceTable (
  head: readonly string[], rows: ReadonlyArray<readonly string[]>, indent: string, width: number | undefined
): string[] {
  const last = head.length - 1
  const others = Math.max(...table(head.slice(0, last), rows.map(row => row.slice(0, last)), indent).map(widthOf))
  const left = width === undefined ? SOURCE_WIDTH.most : width - others - GAP.length
  const room = Math.max(SOURCE_WIDTH.least, Math.min(SOURCE_WIDTH.most, left))
  return table(head, rows.map(row => row.with(last, shorten(row[last] ?? '', room))), indent)
}

const SOURCE_WIDTH = { least: 20, most: 60 } as const
const GAP = '  '

/** Breaks a text at spaces into lines of at most `width` characters; a longer word stays whole. */
export function wrapText (text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

/** Text of an untrusted file (names, source lines) for a terminal: control characters, escape sequences among them, become `?`. */
export function printable (text: string): string {
  // eslint-disable-next-line no-control-regex -- they are what this is about
  return text.trim().replace(/[\t ]+/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '?')
}

/** The same of a line with its indentation: it may be code. */
export function printableLine (line: string): string {
  const indent = /^[ \t]*/.exec(line)?.[0] ?? ''
  return `${indent.replaceAll('\t', '  ')}${printable(line)}`
}

/** A text cut to at most `width` characters, with a mark where something was cut. */
export function shorten (text: string, width: number): string { return text.length <= width ? text : `${text.slice(0, width - 1)}…` }

function widthOf (cell: string): number { return stripVTControlCharacters(cell).length }
