import { readFile } from 'node:fs/promises'
import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose'
import { AppError } from '../../errors.js'
import { wayFailure } from '../../network/failure.js'
import { openFetch } from '../../network/fetch.js'
import type { Fetch, Network } from '../../network/network.js'
import { createSingleFlight } from '../../store/single-flight.js'

export interface KeySourceOptions {
  /** `https:` or `http:` address of a JWKS, or the path of a file with one. */
  readonly url: string
  /** File of a bearer token for that address: the API server of Kubernetes asks for one. Read each time, since such tokens are replaced. */
  readonly tokenFile: string | undefined
  /** Undefined: as Node by itself. */
  readonly network?: Network | undefined
  readonly onWarning: (message: string, facts: Record<string, unknown>) => void
  /** Milliseconds since some moment that does not move; for tests. */
  readonly now?: () => number
}

/** The keys that an issuer signs tokens with. */
export interface KeySource {
  /**
   * Those that were had last. An issuer that cannot be reached is no reason to turn its tokens away.
   *
   * @throws AppError `overloaded` where there are none, or none that are young enough
   */
  keys (): Promise<LocalJWKSet>
  /** Asks for newer ones, since a token names a key that is not there. False where that was just done. */
  renew (): Promise<boolean>
}

/** After that long newer keys are asked for, beside the requests. A key that the issuer took back works so long. */
const REFRESH_MS = 5 * 60_000
/** The longest that keys go on while the issuer cannot be reached. */
const MAX_AGE_MS = 24 * 3_600_000
/** Between two attempts, whoever asks: tokens with invented key names must not become requests to the issuer. */
const COOLDOWN_MS = 10_000
const TIMEOUT_MS = 5_000
const MAX_BYTES = 1024 * 1024

export function createKeySource ({ url, tokenFile, network = {}, onWarning, now = () => performance.now() }: KeySourceOptions): KeySource {
  const flights = createSingleFlight<boolean>()
  const fetching = openFetch(network)
  let held: { readonly keys: LocalJWKSet, readonly at: number } | undefined
  let attempted = -Infinity

  /** Whether newer keys were had. Never fails. */
  const load = async (): Promise<boolean> => await flights.run('', async () => {
    attempted = now()
    try {
      held = { keys: createLocalJWKSet(await readJwks(url, tokenFile, await fetching)), at: now() }
      return true
    } catch (error) {
      onWarning('the keys that verify tokens cannot be had', { url, err: error, ...reasonOf(error), still_used: held !== undefined })
      return false
    }
  })
  /** Whoever comes while an attempt is under way waits for it; whoever comes soon after it has its outcome. */
  const attempt = async (): Promise<boolean> => (flights.size > 0 || now() - attempted >= COOLDOWN_MS) && await load()

  return {
    async keys () {
      const age = held === undefined ? Infinity : now() - held.at
      if (age > MAX_AGE_MS) {
        held = undefined
        await attempt()
      } else if (age > REFRESH_MS) {
        attempt().catch(() => {}) // never fails
      }
      if (held === undefined) throw unavailable()
      return held.keys
    },
    renew: attempt
  }
}

function unavailable (): AppError {
  return new AppError('overloaded',
    'The keys that verify tokens cannot be had at the moment; try again after the time in Retry-After.',
    { retry_after: COOLDOWN_MS / 1000 })
}

/** What an operator can put right. */
function reasonOf (error: unknown): { readonly reason?: string } {
  const reason = wayFailure(error)
  return reason === undefined ? {} : { reason }
}

async function readJwks (url: string, tokenFile: string | undefined, fetch: Fetch): Promise<JSONWebKeySet> {
  const text = /^https?:/.test(url) ? await download(url, tokenFile, fetch) : await readFile(url, 'utf8')
  const json = JSON.parse(text) as unknown
  if (typeof json !== 'object' || json === null || !('keys' in json) || !Array.isArray(json.keys)) {
    throw new Error('what is there is no JWKS')
  }
  return { keys: json.keys }
}

async function download (url: string, tokenFile: string | undefined, fetch: Fetch): Promise<string> {
  const authorization = tokenFile === undefined ? {} : { authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` }
  // A redirect would carry the token, and the trust, to an address that nobody configured.
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/jwk-set+json, application/json', ...authorization }
  })
  if (!response.ok) throw new Error(`the answer has status ${response.status}`)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > MAX_BYTES) throw new Error(`the answer is larger than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
