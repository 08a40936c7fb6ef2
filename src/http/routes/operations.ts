import { AppError } from '../../errors.js'
import { REVALIDATE } from '../headers.js'
import { sendJson } from '../json.js'
import { json } from '../schemas/content.js'
import { NoQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import type { Routes } from './dependencies.js'

const tags = ['operations']
const NO_STORE = 'no-store'

export const operationRoutes: Routes = async app => {
  // Open: probes and scrapers come without credentials, and no label of a metric names a caller, a kernel or an object. Who may
  // reach the port at all is the network's policy.
  const config = { access: 'open', operational: true } as const

  app.get('/livez', {
    schema: {
      operationId: 'live',
      tags,
      summary: 'Whether the process runs.',
      querystring: NoQuery,
      response: responses({ 200: { description: 'It does.', content: json('State') } })
    },
    config
  }, async (_request, reply) => sendJson(reply.header('cache-control', NO_STORE), { status: 'live' }))

  app.get('/readyz', {
    schema: {
      operationId: 'ready',
      tags,
      summary: 'Whether to send requests here.',
      querystring: NoQuery,
      response: responses({ 200: { description: 'Yes.', content: json('State') } }, 'overloaded', 'draining')
    },
    config
  }, async (_request, reply) => {
    const { state } = app.lifecycle
    if (state === 'starting') {
      throw new AppError('overloaded', 'The service is starting; ask again after the time in Retry-After.', { state })
    }
    if (state !== 'ready') throw new AppError('draining', 'This instance is stopping; send requests to another one.', { state })
    return sendJson(reply.header('cache-control', NO_STORE), { status: state })
  })

  app.get('/metrics', {
    schema: {
      operationId: 'metrics',
      tags,
      summary: 'Metrics in the Prometheus text format.',
      querystring: NoQuery,
      response: responses({ 200: { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } } })
    },
    config
  }, async (_request, reply) => {
    const { type, text } = await app.metrics.render()
    return reply.headers({ 'cache-control': NO_STORE, 'content-type': type }).send(text)
  })

  app.get('/openapi.json', {
    schema: {
      operationId: 'openapi',
      tags,
      summary: 'This document.',
      querystring: NoQuery,
      response: responses({
        200: {
          description: 'OpenAPI 3.1.',
          content: { 'application/json': { schema: { type: 'object', additionalProperties: true } } }
        }
      })
    },
    config
  }, async (_request, reply) => sendJson(reply.header('cache-control', REVALIDATE), app.swagger()))
}
