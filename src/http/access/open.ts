import { AppError } from '../../errors.js'
import type { Config } from '../config.js'
import type { Authenticator } from './identity.js'
import { parseScopeMap } from './jwt-scopes.js'
import { openTokens } from './tokens.js'

/**
 * What the settings say about who may call; undefined where everybody may.
 *
 * @throws AppError `invalid_request` whose sentence names the setting at fault
 */
export async function openAuthenticator (
  config: Config,
  onWarning: (message: string, facts: Record<string, unknown>) => void
): Promise<Authenticator | undefined> {
  switch (config.auth) {
    case 'none': return undefined
    case 'token': return await openTokens({ path: required('CORELO_TOKENS_FILE', config.tokensFile, 'token'), onWarning })
    case 'jwt': {
      const [{ createKeySource }, { createJwtAuthenticator }] = await Promise.all([import('./jwks.js'), import('./jwt.js')])
      return createJwtAuthenticator({
        keys: createKeySource({
          url: required('CORELO_JWKS_URL', config.jwksUrl, 'jwt'),
          tokenFile: config.jwksTokenFile,
          network: config.network,
          onWarning
        }),
        audience: required('CORELO_JWT_AUDIENCE', config.jwtAudience, 'jwt'),
        issuer: required('CORELO_JWT_ISSUER', config.jwtIssuer, 'jwt'),
        scopes: parseScopeMap(config.jwtScopes)
      })
    }
  }
}

function required (name: string, value: string | undefined, auth: Config['auth']): string {
  if (value === undefined) throw new AppError('invalid_request', `CORELO_AUTH=${auth} needs ${name}, which is not set.`, { setting: name })
  return value
}
