import { styleText } from 'node:util'
import type { Paint } from './report-text.js'

/** The lines of a table, its head the less bright. */
export function painted ([head = '', ...rows]: readonly string[], paint: Paint): string[] { return [paint('dim', head), ...rows] }

/** Columns of a terminal; undefined where it is none. Some say that they have 0. */
export function columnsOf ({ isTTY, columns }: NodeJS.WriteStream): number | undefined {
  return isTTY && columns > 0 ? columns : undefined
}

/** Those that a table may fill: the last stays free, so that no terminal begins another line. */
export function widthOf (stream: NodeJS.WriteStream): number | undefined {
  const columns = columnsOf(stream)
  return columns === undefined ? undefined : columns - 1
}

/** Everything that is not the result goes here. */
export function say (line: string): void { process.stderr.write(`${line}\n`) }

/** Colours for a stream: none where it is no terminal, or NO_COLOR is set. */
export function paintFor (stream: NodeJS.WriteStream): Paint {
  return (format, text) => styleText(format, text, { stream })
}
