import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { EXEC, SAMPLE, UNGUARDED } from '../cli/corelo.js'
import {
  cleanUpAfterAll,
  createNode,
  putKernel,
  REFERENCE,
  runOnce,
  startProxy,
  startService,
  temporaryFolder,
  type AgentRun,
  type Node,
  type Proxy,
  type ProxyAnswer,
  type Service
} from './support.js'

const OTHER_BTF = join(import.meta.dirname, '../fixtures/big-endian/target.el.btf')
const OTHER_REFERENCE = REFERENCE.replace('6.1.0', '6.2.0')

const cleanup = cleanUpAfterAll()
let service: Service
let proxy: Proxy

beforeAll(async () => {
  service = await startService(cleanup)
  await putKernel(service.url, OTHER_REFERENCE, readFileSync(OTHER_BTF))
  proxy = await startProxy(cleanup, service.url)
})

/** The same body as the form that a service gives, with its digest, as somebody on the way would compute it. */
function forged (answer: ProxyAnswer, body: Buffer): ProxyAnswer {
  return {
    ...answer, headers: { ...answer.headers, 'content-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:` }, body
  }
}

async function ask (object: string, reference: string): Promise<ProxyAnswer> {
  const form = new FormData()
  form.append('object', new Blob([readFileSync(object)]), 'object.bpf.o')
  form.append('kernel_release', reference)
  const response = await fetch(`${service.url}/relocate`, { method: 'POST', body: form, headers: { accept: 'multipart/form-data' } })
  expect(response.status).toBe(200)
  return { status: 200, headers: Object.fromEntries(response.headers), body: Buffer.from(await response.arrayBuffer()) }
}

function flipped (answer: ProxyAnswer): Buffer {
  const body = Buffer.from(answer.body)
  const code = body.indexOf('\x7fELF') + 0x60
  body[code] = (body[code] ?? 0) ^ 1
  return body
}

function withoutAttestation (answer: ProxyAnswer): ProxyAnswer {
  const begin = answer.body.lastIndexOf('\r\n--corelo-', answer.body.indexOf('name="attestation"'))
  const end = answer.body.lastIndexOf('\r\n--corelo-')
  const { 'corelo-attestation': _, ...headers } = answer.headers
  return forged({ ...answer, headers }, Buffer.concat([answer.body.subarray(0, begin), answer.body.subarray(end)]))
}

function replaced (answer: ProxyAnswer, from: string, to: string): ProxyAnswer {
  return forged(answer, Buffer.from(answer.body.toString('latin1').replaceAll(from, to), 'latin1'))
}

const TABLE: ReadonlyArray<{
  readonly what: string
  readonly answer: (answer: ProxyAnswer) => ProxyAnswer | Promise<ProxyAnswer>
  readonly message: RegExp
  readonly refusal?: string
}> = [
  { what: 'a changed byte', answer: answer => ({ ...answer, body: flipped(answer) }), message: /not what was sent: its digest is another/ },
  {
    what: 'a changed byte, with a digest that fits',
    answer: answer => forged(answer, flipped(answer)),
    message: /The result is sha256:.*but the attestation is about sha256:/,
    refusal: 'wrong_result'
  },
  { what: "another kernel's result", answer: async () => await ask(EXEC, OTHER_REFERENCE), message: /kernel/, refusal: 'wrong_kernel' },
  {
    what: "another object's result",
    answer: async () => await ask(UNGUARDED, REFERENCE),
    message: /The attestation is about object sha256:/,
    refusal: 'wrong_object'
  },
  { what: 'no attestation', answer: withoutAttestation, message: /The result has no attestation\./, refusal: 'not_signed' },
  {
    what: 'an attestation that is none',
    answer: answer => replaced({ ...answer, headers: { ...answer.headers, 'corelo-attestation': 'e30=' } }, '"payload"', '"pay-off"'),
    message: /is not a DSSE envelope/,
    refusal: 'malformed'
  },
  {
    what: 'an attestation whose signature is of something else',
    answer: answer => replaced(answer, '"sig":"', '"sig":"AAAA'),
    message: /signature/,
    refusal: 'bad_signature'
  },
  {
    what: 'a report of something else',
    answer: answer => replaced(answer, '"result":{"sha256":"sha256:', '"result":{"sha256":"sha256:0'),
    message: /its report is about another result/
  },
  { what: 'a form cut short', answer: answer => forged(answer, answer.body.subarray(0, answer.body.length / 2)), message: /a form that/ },
  {
    what: 'a page of some portal',
    answer: answer => ({ ...answer, headers: { 'content-type': 'text/html' }, body: Buffer.from('<h1>Welcome</h1>') }),
    message: /something else than a form; is it a corelo service/
  },
  {
    what: 'a redirection',
    answer: () => ({ status: 307, headers: { location: service.url }, body: Buffer.alloc(0) }),
    message: /answered with status 307 and no problem document/
  },
  {
    what: 'an answer without end', answer: answer => ({ ...answer, body: Buffer.alloc(130 * 1024 * 1024) }), message: /more than \d+ bytes/
  }
]

describe('an answer that was altered on the way', () => {
  let node: Node
  let good: Buffer
  const run = async (settings: Record<string, string> = {}): Promise<AgentRun> =>
    await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys, ...settings })

  beforeEach(async () => {
    node = createNode(cleanup)
    proxy.tampering = {}
    expect((await run()).code).toBe(0)
    good = readFileSync(join(node.out, 'exec.bpf.o'))
  })

  /** Has the service answer in full, though the node has the result. */
  const requests = {
    request: (_path: string, headers: Record<string, unknown>, body: Buffer): Buffer => { delete headers['if-none-match']; return body }
  }

  it.each(TABLE)('is refused where it is $what, and the last good copy stays', async ({ answer, message, refusal }) => {
    proxy.tampering = { ...requests, answer }
    const { code, lines } = await run()
    expect(code).toBe(3)
    const line = lines.find(({ object, shown }) => object === 'exec' && shown === 'last_good')
    expect(line?.msg, JSON.stringify(lines)).toMatch(message)
    expect(line?.['refusal']).toBe(refusal)
    expect(lines.at(-1)).toMatchObject({ result: 'cannot_tell', last_good: 1 })
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(good)
  })

  it('is refused on a node without a copy too, which then puts out nothing', async () => {
    node = createNode(cleanup)
    proxy.tampering = { ...requests, answer: answer => forged(answer, flipped(answer)) }
    expect((await run()).lines).toContainEqual(expect.objectContaining({ shown: 'nothing', refusal: 'wrong_result' }))
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
  })

  it('is refused where it claims that a copy is good which was not asked about', async () => {
    node = createNode(cleanup)
    proxy.tampering = { answer: () => ({ status: 304, headers: {}, body: Buffer.alloc(0) }) }
    expect((await run()).code).toBe(3)
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
  })

  it.each([
    {
      what: 'a key that is not trusted',
      refusal: 'unknown_key',
      message: /which is not trusted\. If the service has a new key, add it to the file in --keys\./,
      keys: async () => (await startService(cleanup, { hasSample: false })).keys
    },
    {
      what: 'a key that has ended',
      refusal: 'key_expired',
      message: /which expired at .* Rotate the key of the service/,
      keys: async () => withEnd(service.keys, 1_700_000_000)
    }
  ])('is refused where it was signed with $what', async ({ refusal, message, keys }) => {
    proxy.tampering = requests
    node = createNode(cleanup)
    const { code, lines } = await run({ CORELO_AGENT_KEYS: await keys() })
    expect(code).toBe(3)
    const line = lines.find(({ object, shown }) => object === 'exec' && shown === 'nothing')
    expect(line).toMatchObject({ refusal, msg: expect.stringMatching(message) })
  })

  it('is taken with --insecure-skip-verify, which the log warns of; what was taken so is no good copy afterwards', async () => {
    node = createNode(cleanup)
    proxy.tampering = { ...requests, answer: withoutAttestation }
    const careless = await run({ CORELO_AGENT_INSECURE_SKIP_VERIFY: 'true' })
    expect(careless.code).toBe(0)
    expect(careless.lines[0]).toMatchObject({ level: 40, msg: expect.stringContaining('results are not verified') })
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(true)
    expect((await run()).lines).toContainEqual(expect.objectContaining({ shown: 'nothing', refusal: 'not_signed' }))
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
  })

  it('leaves a copy good whose key has ended since, and bad whose key is not trusted any more', async () => {
    const ended = withEnd(service.keys, 1_700_000_000)
    const [kernel = ''] = readdirSync(join(node.out, '.corelo'))
    const record = join(node.out, '.corelo', kernel, 'exec.json')
    writeFileSync(record, JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), at: '2023-01-01T00:00:00.000Z' }))
    proxy.tampering = { answer: () => ({ status: 503, headers: { 'retry-after': '1' }, body: Buffer.alloc(0) }) }
    expect((await run({ CORELO_AGENT_KEYS: ended })).lines.at(-1)).toMatchObject({ last_good: 1 })
    const other = (await startService(cleanup, { hasSample: false })).keys
    expect((await run({ CORELO_AGENT_KEYS: other })).lines.at(-1)).toMatchObject({ last_good: 0, nothing: 1 })
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(false)
  })
})

describe('keys that are taken at the first contact', () => {
  it('are kept, so that a service with another key is refused afterwards', async () => {
    const node = createNode(cleanup)
    const first = await runOnce(node, service.url)
    expect(first.code).toBe(0)
    expect(first.lines).toContainEqual(expect.objectContaining({
      level: 40, msg: expect.stringContaining('give them in a file with --keys')
    }))
    const impostor = await startService(cleanup)
    const second = await runOnce(node, impostor.url)
    expect(second.code).toBe(0) // it says that nothing changed, which harms nobody
    writeFileSync(join(node.objects, 'exec.bpf.o'), readFileSync(UNGUARDED))
    const third = await runOnce(node, impostor.url)
    expect(third.code).toBe(3)
    expect(third.lines).toContainEqual(expect.objectContaining({
      refusal: 'unknown_key', shown: 'earlier', msg: expect.stringContaining(`remove ${join(node.out, '.corelo/keys.json')}`)
    }))
  })

  it('may come from another address than the service', async () => {
    const node = createNode(cleanup)
    proxy.tampering = {}
    const url = `${service.url}/.well-known/corelo-keys.json`
    expect((await runOnce(node, proxy.url, {}, ['--keys', url])).code).toBe(0)
    expect((await runOnce(createNode(cleanup), proxy.url, {}, ['--keys', SAMPLE])).lines).toContainEqual(expect.objectContaining({
      msg: expect.stringContaining(`The keys of ${SAMPLE} cannot be used`)
    }))
  })
})

/** The same keys with an end, in seconds since 1970. */
function withEnd (path: string, exp: number): string {
  const { keys } = JSON.parse(readFileSync(path, 'utf8')) as { keys: object[] }
  const file = join(temporaryFolder(cleanup), 'keys.json')
  writeFileSync(file, JSON.stringify({ keys: keys.map(key => ({ ...key, exp })) }))
  return file
}
