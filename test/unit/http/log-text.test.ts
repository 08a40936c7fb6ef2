import { describe, expect, it } from 'vitest'
import { toText } from '../../../src/http/log-text.js'

const line = (members: object): string =>
  JSON.stringify({ level: 30, time: Date.UTC(2026, 0, 2, 3, 4, 5, 678), pid: 1, hostname: 'node-1', ...members })

describe('a line of the log on a terminal', () => {
  it('is time, level, message and what else the line says', () => {
    expect(toText(line({ version: '0.1.0', sources: ['a', 'b'], path: 'a b', msg: 'started' }))).toBe(
      '03:04:05.678 INFO  started version=0.1.0 sources=["a","b"] path="a b"\n'
    )
  })

  it('has the stack of an error below it', () => {
    expect(toText(line({ level: 60, err: { stack: 'Error: x\n    at y' }, msg: 'unexpected failure' }))).toBe(
      '03:04:05.678 FATAL unexpected failure\n    Error: x\n    at y\n'
    )
  })

  it('does not steer the terminal, whatever it quotes', () => {
    // eslint-disable-next-line no-control-regex -- the point of it
    expect(toText(line({ url: '/\u001b[2J\u009b', msg: 'a\u001b[31m\nb' })).slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
  })
})
