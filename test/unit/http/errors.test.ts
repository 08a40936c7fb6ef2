import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../../src/errors.js'
import { handleClientError, toAppError, toProblem } from '../../../src/http/errors.js'

describe('an error', () => {
  it('of ours stays what it is', () => {
    const error = new AppError('kernel_unknown', 'No BTF.')
    expect(toAppError(error)).toBe(error)
  })

  it.each([
    [{ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }, 'unsupported_media_type'],
    [{ code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }, 'too_large'],
    [{ code: 'FST_OF_TOMORROW', statusCode: 404 }, 'not_found'],
    [{ code: 'FST_OF_TOMORROW', statusCode: 418 }, 'invalid_request'],
    [{ code: 'FST_OF_TOMORROW', statusCode: 500 }, 'internal_error'],
    [{ code: 'ENOENT' }, 'internal_error'],
    [null, 'internal_error'],
    ['text', 'internal_error']
  ])('of others, %j, becomes %s', (error, code) => {
    expect(toAppError(error).code).toBe(code)
  })

  it('that nobody foresaw tells nothing of itself', () => {
    const error = toAppError(new Error('ENOENT: /etc/corelo/secret'))
    expect(JSON.stringify(toProblem(error, 'id'))).not.toContain('secret')
    expect(error.cause).toBeInstanceOf(Error)
  })

  it('that the service itself calls internal tells nothing of itself either', () => {
    expect(JSON.stringify(toProblem(new AppError('internal_error', 'cannot open /var/x', { path: '/var/x' }), 'id'))).not.toContain(
      '/var/x'
    )
  })

  it('has its own members beside the standard ones, which they do not replace', () => {
    expect(toProblem(
      new AppError('kernel_ambiguous', 'Several.', { candidates: [], status: 'odd', code: 'odd', request_id: 'odd' }), 'id'
    )).toEqual({
      type: 'urn:corelo:problem:kernel_ambiguous',
      title: 'The name can mean different BTFs',
      status: 409,
      detail: 'Several.',
      code: 'kernel_ambiguous',
      request_id: 'id',
      candidates: []
    })
  })
})

describe('what is no request', () => {
  class FakeSocket extends EventEmitter {
    writable = true
    destroyed = false
    sent = ''
    end (text: string, done: () => void): void {
      this.sent += text
      done()
    }

    destroy (): void { this.destroyed = true }
  }

  const answer = (code: string, isWritable = true): FakeSocket => {
    const socket = new FakeSocket()
    socket.writable = isWritable
    handleClientError(Object.assign(new Error('client error'), { code }), socket as unknown as Socket)
    return socket
  }

  it.each([
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'request_timeout'],
    ['HPE_HEADER_OVERFLOW', 431, 'headers_too_large'],
    ['HPE_INVALID_METHOD', 400, 'invalid_request']
  ])('is answered as a problem: %s with %i %s', (code, status, problem) => {
    const { sent, destroyed } = answer(code)
    const [head = '', body = ''] = sent.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    const { request_id: requestId, ...rest } = JSON.parse(body)
    expect(rest).toMatchObject({ status, code: problem, type: `urn:corelo:problem:${problem}` })
    expect(head).toContain(`x-request-id: ${requestId}`)
    expect(head).toContain('connection: close')
    expect(head).toContain(`content-length: ${Buffer.byteLength(body)}`)
    expect(destroyed).toBe(true)
  })

  it('is not answered when nobody is there', () => {
    for (const socket of [answer('ECONNRESET'), answer('HPE_INVALID_METHOD', false)]) {
      expect(socket.sent).toBe('')
      expect(socket.destroyed).toBe(true)
    }
  })
})
