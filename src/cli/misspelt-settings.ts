import { VARIABLES } from '../settings/listed-settings.js'
import type { Environment } from '../settings/read.js'
import { editDistance } from './arguments.js'
import { say } from './terminal.js'

const PREFIX = 'CORELO_'
/** Letters that a slip changes. More are another word. */
const MAX_DISTANCE = 2

/** What Kubernetes sets for a Service that is called `corelo`, and for others whose name begins so. */
const SERVICE_LINK = /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP)(?:_|$)/

/** Variables of the environment that are misspelt names of settings, each with the setting that was meant. A misspelt one has no effect. */
export function findMisspelt (env: Environment): Array<{ readonly name: string, readonly meant: string }> {
  const unknown = Object.keys(env).filter(name => name.startsWith(PREFIX) && !VARIABLES.has(name) && !SERVICE_LINK.test(name)).sort()
  return unknown.flatMap(name => {
    const [nearest] = [...VARIABLES].map(meant => ({ meant, distance: editDistance(name, meant) })).sort((a, b) => a.distance - b.distance)
    return nearest === undefined || nearest.distance > MAX_DISTANCE ? [] : [{ name, meant: nearest.meant }]
  })
}

/** Says so on standard error. */
export function warnOfMisspelt (env: Environment): void {
  for (const { name, meant } of findMisspelt(env)) say(`warning: ${name} is no setting and has no effect; did you mean ${meant}?`)
}
