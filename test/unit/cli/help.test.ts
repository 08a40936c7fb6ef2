import { afterEach, describe, expect, it } from 'vitest'
import { spec } from '../../../src/cli/check.js'
import { commandHelp } from '../../../src/cli/help.js'

const { isTTY, columns } = process.stdout

interface Terminal { readonly isTTY: boolean, readonly columns: number | undefined }

function writeTo (terminal: Terminal): void { Object.assign(process.stdout, terminal) }

const longestLine = (text: string): number => Math.max(...text.split('\n').map(line => line.length))

describe('the help of a command', () => {
  afterEach(() => { writeTo({ isTTY, columns }) })

  it('is as narrow as the terminal, and never wider than is read with ease', () => {
    writeTo({ isTTY: true, columns: 80 })
    expect(longestLine(commandHelp(spec))).toBeLessThanOrEqual(80)
    for (const terminal of [{ isTTY: true, columns: 300 }, { isTTY: true, columns: 0 }, { isTTY: false, columns: undefined }]) {
      writeTo(terminal)
      expect(longestLine(commandHelp(spec))).toBeGreaterThan(80)
      expect(longestLine(commandHelp(spec))).toBeLessThanOrEqual(100)
    }
  })
})
