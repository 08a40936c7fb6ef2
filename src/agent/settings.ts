import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Network } from '../network/network.js'
import { AGENT_SETTINGS, type AgentValues } from '../settings/agent-settings.js'
import { readNetwork } from '../settings/network-settings.js'
import { invalidSetting, readSettings, type Environment, type ReadOption } from '../settings/read.js'

/** What the agent was told to do. */
export interface AgentSettings extends AgentValues {
  /** Proxies, and authorities that are believed. */
  readonly network: Network
}

/**
 * The settings that the command line and the environment give.
 *
 * @throws AppError `invalid_request` whose sentence names the setting at fault
 */
export function readAgentSettings (readOption: ReadOption, env: Environment): AgentSettings {
  const settings = { ...readSettings(AGENT_SETTINGS, env, readOption), network: readNetwork(env) }
  checkFolders(settings)
  return settings
}

/** The folder for what the agent remembers. */
export function stateFolderOf ({ out }: AgentSettings): string { return join(out, '.corelo') }

function checkFolders ({ objects, out }: AgentSettings): void {
  if (realFolder(objects, 'objects') === undefined) {
    throw invalidSetting(AGENT_SETTINGS.objects,
      `The objects folder ${objects} is not there; mount it, or give another one with --objects.`)
  }
  if (realFolder(out, 'out') === realFolder(objects, 'objects')) {
    throw invalidSetting(AGENT_SETTINGS.out,
      '--objects and --out are the same folder; results have the names of their objects, so give them a folder of their own.')
  }
}

/** Where a folder really is; undefined where it is not there. */
function realFolder (path: string, setting: 'objects' | 'out'): string | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? realpathSync(path) : undefined
  } catch (error) {
    throw invalidSetting(AGENT_SETTINGS[setting],
      `The folder ${path} cannot be used: ${error instanceof Error ? error.message : String(error)}.`)
  }
}
