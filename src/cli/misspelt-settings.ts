import { editDistance } from './arguments.js'
import { say } from './terminal.js'

const PREFIX = 'CORELO_'
/** Letters that a slip changes. More are another word. */
const MAX_DISTANCE = 2

/** What Kubernetes sets for a Service that is called `corelo`, and for others whose name begins so. */
const SERVICE_LINK = /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP)(?:_|$)/

/**
 * Variables of the environment that are nearly called as a setting, each with the setting that was meant: a misspelt one would
 * have no effect, and nothing would say so.
 *
 * @param known the names of all settings, of the service and of the agent
 */
export function findMisspelt (
  env: Readonly<Record<string, string | undefined>>,
  known: Iterable<string>
): Array<{ readonly name: string, readonly meant: string }> {
  const names = new Set(known)
  return Object.keys(env).filter(name => name.startsWith(PREFIX) && !names.has(name) && !SERVICE_LINK.test(name)).sort().flatMap(name => {
    const [nearest] = [...names].map(meant => ({ meant, distance: editDistance(name, meant) })).sort((a, b) => a.distance - b.distance)
    return nearest === undefined || nearest.distance > MAX_DISTANCE ? [] : [{ name, meant: nearest.meant }]
  })
}

/** Says so on standard error. */
export function warnOfMisspelt (env: Readonly<Record<string, string | undefined>>, known: Iterable<string>): void {
  for (const { name, meant } of findMisspelt(env, known)) say(`warning: ${name} is no setting and has no effect; did you mean ${meant}?`)
}
