import { isPlain, type Fetch, type Network } from './network.js'

/**
 * The platform's `fetch` where it does by itself what is asked. A proxy or an authority of one's own takes undici's, which is
 * loaded then only.
 */
export async function openFetch (network: Network): Promise<Fetch> {
  if (isPlain(network)) return async (url, init) => await fetch(url, init)
  const { createFetch } = await import('./undici-fetch.js')
  return createFetch(network)
}
