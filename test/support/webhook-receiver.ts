import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { startLoopbackServer, type LoopbackServer } from './loopback-server.js'

/** A message of which the receiver has verified who sent it. */
export interface Message {
  readonly id: string
  readonly timestamp: number
  readonly type: string
  readonly data: { readonly reference: string, readonly btf_sha256?: string, readonly [member: string]: unknown }
  readonly body: string
}

export interface WebhookReceiver extends LoopbackServer {
  /** What goes into CORELO_WEBHOOK_SECRET_FILE. */
  readonly secret: string
  /** All that came with a right signature, repetitions too. */
  readonly messages: Message[]
  /** Reasons for which requests were turned away. */
  readonly refusals: string[]
  /** When set, answers after a message was noted, in the place of 204. */
  answer: ((response: ServerResponse, message: Message) => void) | undefined
}

const TOLERANCE_S = 300

/**
 * As the specification of Standard Webhooks has it, from its text: https://www.standardwebhooks.com. On loopback, until the test is over.
 */
export async function startWebhookReceiver (secret = `whsec_${randomBytes(32).toString('base64')}`): Promise<WebhookReceiver> {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')

  const verify = (request: IncomingMessage, body: string): Message | string => {
    const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(name =>
      String(request.headers[name] ?? ''))
    if (request.method !== 'POST' || request.headers['content-type'] !== 'application/json') {
      return `${request.method ?? ''} ${String(request.headers['content-type'])}`
    }
    if (id === undefined || !/^msg_[\w-]{32}$/.test(id) || timestamp === undefined || !/^\d+$/.test(timestamp)) {
      return `headers ${id} ${timestamp}`
    }
    if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return `time ${timestamp}`
    const wanted = Buffer.from(`v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`)
    const isSigned = (signatures ?? '').split(' ').map(text => Buffer.from(text)).some(given =>
      given.length === wanted.length && timingSafeEqual(given, wanted))
    if (!isSigned) return `signature ${signatures}`
    return { id, timestamp: Number(timestamp), body, ...JSON.parse(body) as Pick<Message, 'type' | 'data'> }
  }

  const http = await startLoopbackServer((request, response) => {
    buffer(request).then(bytes => {
      const message = verify(request, bytes.toString())
      if (typeof message === 'string') {
        receiver.refusals.push(message)
        response.writeHead(401).end()
        return
      }
      receiver.messages.push(message)
      if (receiver.answer === undefined) response.writeHead(204).end()
      else receiver.answer(response, message)
    }, () => { response.destroy() })
  })
  const receiver: WebhookReceiver = {
    ...http,
    url: `${http.url}/hooks/a-secret-path`,
    secret,
    messages: [],
    refusals: [],
    answer: undefined
  }
  return receiver
}
