import fp from 'fastify-plugin'
import { AppError } from '../../errors.js'
import { allows, type Authenticator, type Identity, type Scope } from '../access/identity.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a route needs. `open`: anybody may ask. Every route says one. */
    readonly access?: Scope | 'open'
  }
  interface FastifyRequest {
    /** Who asks. Null where everybody may, or nobody has said. */
    identity: Identity | null
  }
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i
/** Longer than any token of an issuer that is sane. */
const MAX_TOKEN = 8192

export interface AccessOptions {
  /** Undefined: everybody may do everything. */
  readonly authenticator: Authenticator | undefined
  /** Routes below this address are a plugin's, which does not say who may ask: anybody. */
  readonly openBelow: string
}

/** Asks callers who they are, before anything of a request's body is looked at. */
export const accessPlugin = fp<AccessOptions>(async (app, { authenticator, openBelow }) => {
  app.decorateRequest('identity', null)
  // A route that forgot to say who may ask must not be open by that.
  app.addHook('onRoute', route => {
    if (route.config?.access !== undefined) return
    if (route.url !== openBelow && !route.url.startsWith(`${openBelow}/`)) {
      throw new Error(`the route ${route.url} does not say who may ask`)
    }
    route.config = { ...route.config, access: 'open' }
  })
  if (authenticator === undefined) return
  app.addHook('onRequest', async request => {
    const { access } = request.routeOptions.config
    if (access === undefined || access === 'open') return // no access: there is no such route
    request.identity = await authenticator.identify(tokenOf(request.headers.authorization))
    if (!allows(request.identity, access)) {
      throw new AppError('forbidden',
        `This needs the scope ${access}, which ${request.identity.name} does not have; ask the operator of the service for it.`,
        { needed: access, challenge: `Bearer realm="corelo", error="insufficient_scope", scope="${access}"` })
    }
  })
}, { name: 'corelo-access' })

/** What requests are counted by: who asks, or from where. */
export function callerOf ({ identity, ip }: { readonly identity: Identity | null, readonly ip: string }): string {
  return identity?.key ?? ip
}

/**
 * The token of an Authorization header.
 *
 * @throws AppError `unauthorized`
 */
export function tokenOf (header: string | undefined): string {
  if (header === undefined) {
    throw new AppError('unauthorized',
      'The request has no credentials; send a token: Authorization: Bearer …',
      { challenge: 'Bearer realm="corelo"' })
  }
  const [, token] = BEARER.exec(header) ?? []
  if (token === undefined || token.length > MAX_TOKEN) {
    throw new AppError('unauthorized', 'The Authorization header has no bearer token; write it as: Authorization: Bearer …')
  }
  return token
}
