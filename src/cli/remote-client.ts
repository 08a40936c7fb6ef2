import { createClient, type Client } from '../client/client.js'
import { readNetwork } from '../settings/network-settings.js'
import type { Arguments } from './arguments.js'

/** A client of the service that the options `server` and `token-file` name, by the network that the environment describes. */
export function createRemoteClient (options: Arguments): Client {
  return createClient({
    server: options.get('server') ?? '',
    tokenFile: options.get('token-file'),
    network: readNetwork(process.env)
  })
}
