import { AGENT_SETTINGS } from './agent-settings.js'
import { NETWORK_SETTINGS } from './network-settings.js'
import { SERVICE_SETTINGS } from './service-settings.js'
import type { Setting } from './setting.js'

/** All that the service and the agent read, in the order in which help and reference pages list it. */
export const LISTED: Readonly<Record<'service' | 'agent', readonly Setting[]>> = {
  service: Object.values<Setting>({ ...SERVICE_SETTINGS, ...NETWORK_SETTINGS }),
  agent: Object.values<Setting>({ ...AGENT_SETTINGS, ...NETWORK_SETTINGS })
}

/** The names of all variables, each once. */
export const VARIABLES: ReadonlySet<string> = new Set(Object.values(LISTED).flat().map(({ env }) => env))
