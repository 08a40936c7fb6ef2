import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseReference } from '../../../src/identity/reference.js'
import { sha256 } from '../../../src/store/sha256.js'
import { heldEvent, listedEvent } from '../../../src/watch/events.js'
import { signedHeaders } from '../../../src/watch/signature.js'

const page = readFileSync(fileURLToPath(new URL('../../../docs/new-kernels.md', import.meta.url)), 'utf8')
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].flatMap(([, block = '']) => block)

type IsGenuine = (headers: Readonly<Record<string, string>>, body: string, secret: string, now?: number) => boolean

/** The receiver's function, as the page has it. */
async function shownFunction (): Promise<IsGenuine> {
  const module = await import(`data:text/javascript,${encodeURIComponent(blocks('js')[0] ?? '')}`) as { isGenuine: IsGenuine }
  return module.isGenuine
}

/** Names of all members, those within others too. */
const shapeOf = (value: unknown): unknown => typeof value !== 'object' || value === null || Array.isArray(value)
  ? ''
  : Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]))

describe('the page on new kernels', () => {
  it('shows the lines with which a receiver tells what is genuine', async () => {
    const isGenuine = await shownFunction()
    const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`
    const other = Buffer.alloc(32, 4)
    const body = '{"type":"kernel.held"}'
    const headers = signedHeaders('msg_1', 1_800_000_000, body, [other, Buffer.alloc(32, 3)])
    const now = 1_800_000_000_000
    expect(isGenuine(headers, body, secret, now + 299_000)).toBe(true)
    expect([
      isGenuine(headers, body, secret, now + 301_000),
      isGenuine(headers, body, secret, now - 301_000),
      isGenuine(headers, `${body} `, secret, now),
      isGenuine({ ...headers, 'webhook-id': 'msg_2' }, body, secret, now),
      isGenuine({ ...headers, 'webhook-timestamp': '1800000001' }, body, secret, now),
      isGenuine(headers, body, `whsec_${Buffer.alloc(32, 5).toString('base64')}`, now),
      isGenuine({}, body, secret, now)
    ]).toEqual([false, false, false, false, false, false, false])
  })

  it('shows the events with the members that they have', () => {
    const reference = parseReference('debian/12/x86_64/6.1.0-58-amd64')
    const at = new Date().toISOString()
    const listed = listedEvent(
      reference, { sources: ['packages'], at, published: { repository: 'r', package: 'p', version: '1', bytes: 1, builtAt: undefined } }
    )
    const held = heldEvent(reference, {
      reference,
      btfSha256: sha256(''),
      bytes: 1,
      types: 1,
      source: 'packages',
      provenance: { by: 'packages', at },
      firstSeen: at,
      lastUsed: at,
      modules: []
    }, at)
    expect(blocks('json').map(block => shapeOf(JSON.parse(block)))).toEqual([listed, held].map(({ body }) => shapeOf(JSON.parse(body))))
  })
})
