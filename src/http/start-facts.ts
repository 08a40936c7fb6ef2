import { ENGINE } from '../relocation/engine.js'
import type { Config } from './config.js'

/** What an operator wants to see of a service that has started, in its one line. Addresses are without what may be secret in them. */
export function startFacts (config: Config, address: string, keyId: string): Record<string, unknown> {
  const { localKernel, btfhubUrls, btfhubDir, upstreamUrl, packages, sharedStore, watch, webhookUrl } = config
  return {
    version: ENGINE.version,
    address,
    auth: config.auth,
    sources: [
      localKernel ? 'the running kernel' : [],
      btfhubDir ?? [],
      (btfhubUrls ?? []).map(withoutSecrets),
      upstreamUrl === undefined ? [] : withoutSecrets(upstreamUrl),
      packages ?? []
    ].flat(),
    ...(watch === undefined || watch.length === 0 ? {} : { watch }),
    ...(webhookUrl === undefined ? {} : { webhook: new URL(webhookUrl).origin }),
    ...(sharedStore === undefined ? {} : { shared_store: sharedStore }),
    cache_dir: config.cacheDir,
    key_id: keyId
  }
}

function withoutSecrets (address: string): string {
  const { origin, pathname } = new URL(address)
  return `${origin}${pathname}`
}
