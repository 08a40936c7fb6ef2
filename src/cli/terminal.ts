import { styleText } from 'node:util'
import type { Paint } from './report-text.js'

/** The lines of a table, its head the less bright. */
export function painted ([head = '', ...rows]: readonly string[], paint: Paint): string[] { return [paint('dim', head), ...rows] }

/** Columns of a terminal, the last of which stays free; undefined where it is none. Some say that they have 0. */
export function widthOf ({ isTTY, columns }: NodeJS.WriteStream): number | undefined {
  return isTTY && columns > 0 ? columns - 1 : undefined
}

/** Everything that is not the result goes here. */
export function say (line: string): void { process.stderr.write(`${line}\n`) }

/** Colours for a stream: none where it is no terminal, or NO_COLOR is set. */
export function paintFor (stream: NodeJS.WriteStream): Paint {
  return (format, text) => styleText(format, text, { stream })
}
