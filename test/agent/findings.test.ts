import { sign } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { preAuthEncoding, serializeEnvelope } from '../../src/attestation/dsse.js'
import { generateSigningKey, parseSigningKeys, type SigningKey } from '../../src/attestation/signing-keys.js'
import { EXEC } from '../cli/corelo.js'
import { btf, integers } from '../support/btf-builder.js'
import { fooSpec, guardedObject, targetFoo } from '../support/corpus.js'
import { buildObject } from '../support/object-builder.js'
import {
  cleanUpAfterAll,
  createNode,
  putKernel,
  REFERENCE,
  runOnce,
  startAgent,
  startProxy,
  startService,
  temporaryFolder,
  type Proxy,
  type Service,
  type Tampering
} from './support.js'

const cleanup = cleanUpAfterAll()

describe('an object that does not do for the kernel', () => {
  let service: Service
  let proxy: Proxy
  beforeAll(async () => {
    service = await startService(cleanup)
    proxy = await startProxy(cleanup, service.url)
  })

  it('is a finding where libbpf would refuse it, explained by each relocation, and exits with 1', async () => {
    const node = createNode(cleanup, [])
    const spec = fooSpec()
    writeFileSync(
      join(node.objects, 'foo.bpf.o'),
      buildObject({ ...spec, records: (spec.records ?? []).map(record => ({ ...record, kind: 13 })) }).bytes
    )
    const other = await startService(cleanup, { hasSample: false })
    await putKernel(other.url, REFERENCE, targetFoo().bytes())
    const run = await runOnce(node, other.url, { CORELO_AGENT_KEYS: other.keys })
    expect(run.code).toBe(1)
    expect(run.lines).toContainEqual(expect.objectContaining({
      level: 50, object: 'foo', code: 'relocation_failed', shown: 'nothing', reasons: expect.arrayContaining([expect.any(String)])
    }))
    expect(run.lines.at(-1)).toMatchObject({ result: 'finding', findings: 1 })
    expect(existsSync(join(node.out, 'foo.bpf.o'))).toBe(false)
  })

  /** The service's answer, its verdict another one. The attestation says so too where a key signs it. */
  const withVerdict = (verdict: string, key?: SigningKey): Tampering => ({
    request: (_path, headers, body) => { delete headers['if-none-match']; return body },
    answer: answer => {
      const { 'content-digest': _, ...headers } = answer.headers
      const text = answer.body.toString('latin1').replace(/"verdict":"(?:loads|unknown)"/, `"verdict":"${verdict}"`)
      if (key === undefined) return { ...answer, headers, body: Buffer.from(text, 'latin1') }
      const [, part = ''] = /name="attestation".*?\r\n\r\n(\{.*?\})\r\n--/s.exec(text) ?? []
      const payload = Buffer.from((JSON.parse(part) as { payload: string }).payload, 'base64').toString()
      const changed = Buffer.from(payload.replace(/"verdict":"(?:loads|unknown)"/, `"verdict":"${verdict}"`))
      const sig = sign(null, preAuthEncoding('application/vnd.in-toto+json', changed), key.privateKey)
      const envelope = serializeEnvelope({
        payloadType: 'application/vnd.in-toto+json', payload: changed, signatures: [{ keyid: key.jwk.kid, sig }]
      })
      return { ...answer, headers, body: Buffer.from(text.replace(part, () => envelope), 'latin1') }
    }
  })

  it('is what the service signed: a report that says otherwise changes nothing', async () => {
    const node = createNode(cleanup)
    proxy.tampering = withVerdict('fails')
    const run = await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: service.keys })
    expect(run.code).toBe(0)
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(true)
    expect(run.lines).toContainEqual(expect.objectContaining({
      object: 'exec', msg: 'relocated, verified and put in place', verdict: expect.stringMatching(/^(?:loads|unknown)$/)
    }))
  })

  it('is not put out where its verdict is that it fails; the copy from before stays', async () => {
    const node = createNode(cleanup)
    const key = parseSigningKeys(generateSigningKey())[0]
    const keys = join(temporaryFolder(cleanup), 'keys.json')
    writeFileSync(keys, JSON.stringify({ keys: [...(JSON.parse(readFileSync(service.keys, 'utf8')) as { keys: object[] }).keys, key.jwk] }))
    proxy.tampering = {}
    expect((await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: keys })).code).toBe(0)
    const before = readFileSync(join(node.out, 'exec.bpf.o'))
    proxy.tampering = withVerdict('fails', key)
    const run = await runOnce(node, proxy.url, { CORELO_AGENT_KEYS: keys })
    expect(run.code).toBe(1)
    const line = run.lines.find(({ code }) => code === 'unresolved_reachable')
    expect(line).toMatchObject({ level: 50, object: 'exec', shown: 'last_good' })
    expect(readFileSync(join(node.out, 'exec.bpf.o'))).toEqual(before)

    const agent = await startAgent(cleanup, node, proxy.url, { CORELO_AGENT_KEYS: keys })
    await agent.line(({ code }) => code === 'unresolved_reachable')
    expect(await agent.metric('corelo_agent_object_finding{object="exec"}')).toBe(1)
    expect(await agent.ready()).toMatchObject({ status: 503, body: { objects: [{ object: 'exec' }] } })
    await agent.stop()
  })

  it('is put out where the verdict is unknown, with a warning that says what it may reach, and counted', async () => {
    const node = createNode(cleanup, [])
    writeFileSync(join(node.objects, 'guarded.bpf.o'), guardedObject('configuration'))
    const other = await startService(cleanup, { hasSample: false })
    const kernel = btf()
    integers(kernel)
    await putKernel(other.url, REFERENCE, kernel.bytes())
    const agent = await startAgent(cleanup, node, other.url, { CORELO_AGENT_KEYS: other.keys })
    const inPlace = await agent.line(({ msg }) => msg === 'relocated, verified and put in place')
    expect(inPlace).toMatchObject({ level: 30, object: 'guarded', verdict: 'unknown', poisoned: 1 })
    expect(existsSync(join(node.out, 'guarded.bpf.o'))).toBe(true)
    expect(await agent.line(({ verdict, reasons }) => verdict === 'unknown' && reasons !== undefined)).toMatchObject({
      level: 40,
      object: 'guarded',
      reasons: ['test.bpf.c:1: foo.y: This kernel has no struct foo'],
      msg: 'whether it loads is not known: it may reach an instruction that has no value in this kernel'
    })
    await expect.poll(async () => await agent.metric('corelo_agent_verdicts_total{verdict="unknown"}')).toBe(1)
    await expect.poll(async () => (await agent.ready()).status).toBe(200)
    expect(await agent.metric('corelo_agent_object_finding{object="guarded"}')).toBe(0)
    await agent.stop()
  })

  it('is no reason to stop for the others', async () => {
    proxy.tampering = {}
    const node = createNode(cleanup, [EXEC])
    writeFileSync(join(node.objects, 'broken.bpf.o'), 'no object')
    const run = await runOnce(node, service.url, { CORELO_AGENT_KEYS: service.keys })
    expect(run.code).toBe(1)
    expect(run.lines.at(-1)).toMatchObject({ objects: 2, current: 1, nothing: 1, findings: 1 })
    expect(existsSync(join(node.out, 'exec.bpf.o'))).toBe(true)
  })
})
