import { sendJson } from '../json.js'
import { json } from '../schemas/content.js'
import { NoQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import type { Routes } from './dependencies.js'

/** Short enough that a new key is everywhere before the next one is due, long enough that a fleet does not ask for each result. */
const MINUTES_5 = 'public, max-age=300'

export const keyRoutes: Routes = async (app, { service }) => {
  app.get('/.well-known/corelo-keys.json', {
    schema: {
      operationId: 'getKeys',
      tags: ['relocation'],
      summary: 'The public keys that attestations verify with.',
      querystring: NoQuery,
      response: responses({ 200: { description: 'A JWKS.', content: json('Jwks') } })
    },
    config: { access: 'open' }
  }, async (_request, reply) => sendJson(reply.header('cache-control', MINUTES_5), await service.publicKeys()))
}
