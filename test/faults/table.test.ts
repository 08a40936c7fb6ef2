import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../src/errors.js'
import { failure, fooBtf, relocate } from '../unit/service/lab.js'
import { tarXzOf, xzOf, ZEROS } from '../support/xz-writer.js'
import { startOrigin, type Origin } from './origin.js'
import { archiveOf, IMPATIENT, KERNEL, PATH, questions, QUICK, startFetching } from './sources.js'

const good = await archiveOf()
const BTF = `${KERNEL.release}.btf`

const send = (bytes: Uint8Array, headers: Record<string, string | number> = {}): Origin['answer'] =>
  (_request, response) => response.writeHead(200, { 'content-length': bytes.length, ...headers }).end(bytes)
const status = (code: number, headers: Record<string, string> = {}): Origin['answer'] =>
  (_request, response) => response.writeHead(code, headers).end(`${code}`)
const redirect = (location: string): Origin['answer'] => status(302, { location })

/** A fault, what callers get, the class it is kept as, and how many requests the origin sees the first time. The second time: none. */
interface Fault {
  readonly name: string
  readonly answer: Origin['answer']
  readonly code: ErrorCode
  readonly outcome: string
  readonly requests: number
  readonly says: RegExp
}

const FAULTS: readonly Fault[] = [
  { name: '404', answer: status(404), code: 'kernel_unknown', outcome: 'absent', requests: 1, says: /answered 404/ },
  { name: '403', answer: status(403), code: 'source_failed', outcome: 'denied', requests: 1, says: /answered 403/ },
  { name: '401', answer: status(401), code: 'source_failed', outcome: 'denied', requests: 1, says: /answered 401/ },
  { name: '429 without Retry-After', answer: status(429), code: 'source_failed', outcome: 'busy', requests: 1, says: /answered 429/ },
  {
    name: '429 with a Retry-After that is too long to wait',
    answer: status(429, { 'retry-after': '120' }),
    code: 'source_failed',
    outcome: 'busy',
    requests: 1,
    says: /answered 429/
  },
  {
    name: '429 with a Retry-After of no time',
    answer: status(429, { 'retry-after': '0' }),
    code: 'source_failed',
    outcome: 'busy',
    requests: 3,
    says: /answered 429, 3 times/
  },
  { name: '500', answer: status(500), code: 'source_failed', outcome: 'failed', requests: 3, says: /answered 500, 3 times/ },
  {
    name: '503 that asks to come back later',
    answer: status(503, { 'retry-after': '60' }),
    code: 'source_failed',
    outcome: 'failed',
    requests: 1,
    says: /answered 503/
  },
  { name: 'no answer', answer: () => {}, code: 'source_timeout', outcome: 'timeout', requests: 1, says: /did not answer within 300 ms/ },
  {
    name: 'headers, then nothing',
    answer: (_request, response) => { response.writeHead(200, { 'content-length': 1000 }).flushHeaders() },
    code: 'source_timeout',
    outcome: 'timeout',
    requests: 1,
    says: /stopped sending|too slowly/
  },
  {
    name: 'a slow drip',
    answer: (_request, response) => {
      response.writeHead(200, { 'content-length': 100_000 })
      const drip = setInterval(() => { response.write('x') }, 20)
      response.once('close', () => { clearInterval(drip) })
    },
    code: 'source_timeout',
    outcome: 'timeout',
    requests: 1,
    says: /too slowly/
  },
  {
    name: 'a body cut off by the end of the connection',
    answer: (_request, response) => {
      response.writeHead(200, { 'content-length': good.length })
      response.write(good.subarray(0, 100), () => { response.destroy() })
    },
    code: 'source_failed',
    outcome: 'failed',
    requests: 3,
    says: /failed \(UND_ERR_SOCKET\), 3 times/
  },
  {
    name: 'an archive cut off at its source',
    answer: send(good.subarray(0, good.length - 100)),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /cut off|damaged/
  },
  {
    name: 'a Content-Length that is too short for what is sent',
    answer: (request, response) => {
      response.socket?.write(`HTTP/1.1 200 OK\r\ncontent-length: ${good.length - 50}\r\n\r\n`)
      response.socket?.write(good, () => { request.socket.destroy() })
    },
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /cut off|damaged/
  },
  {
    name: 'a Content-Length above all bounds',
    answer: (_request, response) => { response.writeHead(200, { 'content-length': 1e12 }).flushHeaders() },
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /larger than is taken/
  },
  {
    name: 'a body without end',
    answer: (_request, response) => {
      response.writeHead(200)
      const chunk = Buffer.alloc(1 << 20)
      const pour = (): void => { while (!response.destroyed && response.write(chunk)); }
      response.on('drain', pour)
      pour()
    },
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /more than 16777216 bytes/
  },
  {
    name: 'a page of HTML',
    answer: send(Buffer.from('<!DOCTYPE html><title>Sign in</title>'), { 'content-type': 'text/html' }),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /no \.xz file; it begins with "<!DOCTYPE html>/
  },
  {
    name: 'nothing at all',
    answer: send(new Uint8Array()),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /no \.xz file; it begins with nothing/
  },
  {
    name: 'a coding that nobody asked for',
    answer: send(good, { 'content-encoding': 'gzip' }),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /in the coding gzip/
  },
  {
    name: 'a flipped bit',
    answer: send(good.map((byte, i) => i === 200 ? byte ^ 1 : byte)),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /cut off|damaged/
  },
  {
    name: 'an .xz file of something else',
    answer: send(xzOf(Buffer.from('not a tar archive'.repeat(100)))),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /has no known format/
  },
  {
    name: 'a bomb of nothing but zeros',
    answer: send(Buffer.concat(Array.from({ length: 2048 }, () => ZEROS))),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /has no files/
  },
  {
    name: 'an empty archive', answer: send(await tarXzOf()), code: 'source_invalid', outcome: 'malformed', requests: 1, says: /has no files/
  },
  {
    name: 'two members',
    answer: send(await tarXzOf({ name: 'a', bytes: fooBtf() }, { name: 'b', bytes: fooBtf(1) })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /has 2 files/
  },
  {
    name: "two kernels' members",
    answer: send(await tarXzOf({ name: BTF, bytes: fooBtf() }, { name: '5.4.0-43-generic.btf', bytes: fooBtf(1) })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /several kernels' BTF/
  },
  {
    name: 'two members of one name',
    answer: send(await tarXzOf({ name: BTF, bytes: fooBtf() }, { name: `./${BTF}`, bytes: fooBtf(1) })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /two files/
  },
  {
    name: 'a member that would lie outside',
    answer: send(await tarXzOf({ name: `../${BTF}`, bytes: fooBtf() })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /leads out of the archive/
  },
  {
    name: 'a member with an absolute name',
    answer: send(await tarXzOf({ name: `/etc/${BTF}`, bytes: fooBtf() })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /leads out of the archive/
  },
  {
    name: 'a symbolic link',
    answer: send(await tarXzOf({ name: BTF, type: 'symlink', linkname: '/etc/passwd' })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /is a symlink/
  },
  {
    name: 'a hard link',
    answer: send(await tarXzOf({ name: BTF, type: 'link', linkname: '/etc/passwd' })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /is a link/
  },
  {
    name: 'a device',
    answer: send(await tarXzOf({ name: BTF, type: 'character-device' })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /is a character-device/
  },
  {
    name: 'the right archive of another kernel',
    answer: send(await tarXzOf({ name: '5.4.0-43-generic.btf', bytes: fooBtf() })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /another kernel: 5\.4\.0-43-generic\.btf, not 5\.4\.0-42-generic\.btf(?! or)/
  },
  {
    name: 'a member that is no BTF',
    answer: send(await tarXzOf({ name: BTF, bytes: Buffer.from('text') })),
    code: 'source_invalid',
    outcome: 'malformed',
    requests: 1,
    says: /BTF/
  },
  { name: 'a redirect in a circle', answer: redirect(PATH), code: 'source_failed', outcome: 'failed', requests: 1, says: /in a circle/ },
  {
    name: 'redirects without end',
    answer: (request, response) => redirect(`${request.url}x`)(request, response),
    code: 'source_failed',
    outcome: 'failed',
    requests: 6,
    says: /more than 5 times/
  },
  ...[
    'http://10.0.0.1/', 'http://192.168.1.1/', 'http://169.254.169.254/latest/meta-data/', 'http://100.64.0.1/', 'http://127.0.0.1:9/',
    'http://2130706433/', 'http://0x7f.1/',
    'http://0/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://[fd00::1]/', 'http://[fe80::1]/', 'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/', 'http://[2001:0:7f00:1::]/'
  ].map(target => ({
    name: `a redirect to ${target}`,
    answer: redirect(target),
    code: 'source_failed' as const,
    outcome: 'failed',
    requests: 1,
    says: /not a public address/
  })),
  {
    name: 'a redirect to a name of this machine',
    answer: redirect('http://localhost:9/'),
    code: 'source_failed',
    outcome: 'failed',
    requests: 1,
    says: /not a public address/
  },
  {
    name: 'a redirect to a file',
    answer: redirect('file:///etc/passwd'),
    code: 'source_failed',
    outcome: 'failed',
    requests: 1,
    says: /to file:, which is not followed/
  },
  {
    name: 'a reset connection',
    answer: request => request.socket.resetAndDestroy(),
    code: 'source_failed',
    outcome: 'failed',
    requests: 3,
    says: /failed \((ECONNRESET|UND_ERR_SOCKET)\), 3 times/
  }
]

describe('what a source does wrong is said once and not asked for again', () => {
  it.each(FAULTS.map(fault => [fault.name, fault] as const))('%s', async (_name, fault) => {
    const origin = await startOrigin(fault.answer)
    const service = await startFetching({ btfhubUrls: [origin.url], sources: { fetch: fault.outcome === 'timeout' ? IMPATIENT : QUICK } })

    for (const requests of [fault.requests, fault.requests]) {
      const error = await failure(fault.code, relocate(service, { kernel: KERNEL }))
      expect(origin.asked).toHaveLength(requests)
      const { sources } = error.details
      expect(JSON.stringify(sources ?? error.details)).toContain('"source":"btfhub"')
      const { answer } = (sources as Array<{ source: string, answer: string }>).find(({ source }) => source === 'btfhub') ?? { answer: '' }
      expect(answer).toMatch(fault.says)
    }
    expect(questions(service)).toEqual({ [fault.outcome]: 1 })
  })
})
