import { fetch } from 'undici'
import { createDispatcher } from './dispatcher.js'
import type { Fetch, Network } from './network.js'

const CONNECT_MS = 10_000

/** `fetch` over a network, with undici's own function: the platform's takes no dispatcher of another version. */
export function createFetch (network: Network): Fetch {
  const dispatcher = createDispatcher(network, { connectMs: CONNECT_MS })
  return async (url, { body, headers = {}, ...init }) => {
    const encoded = body instanceof FormData ? await encode(body) : { headers: {}, ...(body === undefined ? {} : { body }) }
    const { status, headers: answered, body: stream } = await fetch(url, {
      ...init,
      dispatcher,
      ...encoded,
      headers: { ...headers, ...encoded.headers }
    })
    return new Response(stream, { status, headers: [...answered] })
  }
}

/** A form of the platform is none to undici. */
async function encode (form: FormData): Promise<{ readonly body: Uint8Array, readonly headers: Record<string, string> }> {
  const encoded = new Response(form)
  return { body: new Uint8Array(await encoded.arrayBuffer()), headers: { 'content-type': encoded.headers.get('content-type') ?? '' } }
}
