import { nodeAuthorities, readCertificates, type Network } from '../network/network.js'
import { isWebAddress, TEXT, type Kind } from './kinds.js'
import { readSettings, type Environment } from './read.js'
import { optional } from './setting.js'

const PROXY: Kind<string> = {
  must: 'the http or https address of a proxy, such as http://proxy.example:3128',
  parse: text => isWebAddress(text) ? text : undefined,
  isSecret: true
}

/** How the network is reached: the variables that other tools read too, in curl's order of upper and lower case. */
export const NETWORK_SETTINGS = {
  httpsProxy: optional('HTTPS_PROXY', PROXY, {
    alias: 'https_proxy',
    meaning: 'Proxy for https addresses, such as http://proxy.example:3128. ' +
      'If the lower-case name is set too, it wins; the same holds for the next two.'
  }),
  httpProxy: optional('HTTP_PROXY', PROXY, {
    alias: 'http_proxy',
    meaning: 'Proxy for http addresses, and for https addresses if HTTPS_PROXY is not set.'
  }),
  noProxy: optional('NO_PROXY', TEXT, {
    alias: 'no_proxy',
    meaning: 'Hosts to reach without a proxy, separated by commas: names (with all names below them) and addresses, ' +
      'with or without a port. *: all hosts.'
  }),
  caFile: optional('CORELO_CA_FILE', TEXT, {
    meaning: "File of certificates (PEM) of authorities to trust, such as a company's own, " +
      "besides Node's, those of NODE_EXTRA_CA_CERTS, and the system's where NODE_OPTIONS has --use-system-ca (Node 22.15 and later)."
  })
}

/**
 * The network that these variables mean. The file of certificates is read here, once.
 *
 * @throws AppError `invalid_request` whose sentence names the variable at fault
 */
export function readNetwork (env: Environment): Network {
  const { caFile, ...proxies } = readSettings(NETWORK_SETTINGS, env)
  if (caFile === undefined) return proxies
  return { ...proxies, authorities: [...nodeAuthorities(env), ...readCertificates(NETWORK_SETTINGS.caFile.env, caFile)] }
}
