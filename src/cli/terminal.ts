import { styleText } from 'node:util'
import type { Paint } from './report-text.js'

/** The lines of a table, its head the less bright. */
export function painted ([head = '', ...rows]: readonly string[], paint: Paint): string[] { return [paint('dim', head), ...rows] }

/** Everything that is not the result goes here. */
export function say (line: string): void { process.stderr.write(`${line}\n`) }

/** Colours for a stream: none where it is no terminal, or NO_COLOR is set. */
export function paintFor (stream: NodeJS.WriteStream): Paint {
  return (format, text) => styleText(format, text, { stream })
}
