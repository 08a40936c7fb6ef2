import { createClient } from '../client/client.js'
import { createTransport } from '../client/transport.js'
import { AppError } from '../errors.js'
import { AGENT_SETTINGS } from '../settings/agent-settings.js'
import { invalidSetting } from '../settings/read.js'
import { createAgent } from './agent.js'
import { createAsker } from './ask.js'
import { createCopies } from './copies.js'
import { startHealth } from './health.js'
import { createJournal } from './journal.js'
import { createLog } from './log.js'
import { createMetrics } from './metrics.js'
import { createNode } from './node.js'
import { createModuleOffers } from './module-offers.js'
import { createModuleTypes } from './module-types.js'
import { createPins } from './pin.js'
import { createSchedule } from './schedule.js'
import { createSettler } from './settle.js'
import { stateFolderOf, type AgentSettings } from './settings.js'
import { isUsable, settingAtFault, type ObjectStatus } from './status.js'
import { createTrust, TRUST_ANYTHING } from './trust.js'

const MAX_KEYS_BYTES = 256 * 1024

/** What `--once` comes to; the exit codes of the command stand for these. */
export type OnceResult = 'fine' | 'finding' | 'wrong_setting' | 'nothing_to_do' | 'cannot_tell'

/**
 * Runs the agent: until a signal, or with `once` until everything is settled.
 *
 * @throws AppError `invalid_request` where a setting cannot be used
 */
export async function runAgent (settings: AgentSettings, version: string): Promise<OnceResult> {
  const metrics = createMetrics(version)
  const log = createLog(settings.logLevel, () => { metrics.lostLines.inc() })
  const journal = createJournal(log, metrics)
  const stateFolder = stateFolderOf(settings)
  const client = createClient(settings)
  const trust = settings.insecureSkipVerify
    ? TRUST_ANYTHING
    : createTrust({
      keys: settings.keys,
      stateFolder,
      fetchKeys: async url => url === undefined ? await client.keys() : await fetchKeys(url, settings),
      onFirstContact: journal.firstContact
    })
  const copies = createCopies(settings.out)
  const agent = createAgent({
    objects: settings.objects,
    pollMs: settings.pollMs,
    spreadMs: settings.spreadMs,
    node: createNode(settings),
    copies,
    settler: createSettler({
      asker: createAsker({
        client,
        trust,
        uploadBtf: settings.uploadBtf === 'auto',
        moduleTypes: createModuleTypes(journal.unreadable),
        moduleOffers: createModuleOffers({ client, onOffer: journal.offeredModules, onWithheld: journal.withheld }),
        onOffer: journal.offered
      }),
      copies,
      trust,
      pins: settings.pin === undefined ? undefined : createPins({ folder: settings.pin, stateFolder }),
      onLoad: journal.loaded
    }),
    schedule: createSchedule(settings),
    journal,
    onChange: metrics.show
  })
  const stop = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(1) // the second one: whoever sends it does not want to wait
    log.info({ signal }, 'stopping')
    stop.abort()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  if (settings.insecureSkipVerify) {
    log.warn('results are not verified (--insecure-skip-verify): anyone who can alter the traffic decides what this kernel runs')
  }

  if (settings.once) {
    await agent.once(settings.waitMs, stop.signal)
    const statuses = [...agent.statuses?.values() ?? []]
    const result = agent.statuses === undefined ? 'cannot_tell' : resultOf(statuses, settings.lastGoodOk)
    log[result === 'fine' ? 'info' : 'error']({ result, ...countsOf(statuses) }, SUMMARIES[result](settings))
    return result
  }
  const { host } = settings
  const health = await startHealth({ host, port: settings.port, metrics, statuses: () => agent.statuses }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError('invalid_request', `The agent cannot listen on ${host}:${settings.port} (${reason}); ` +
      'set CORELO_AGENT_HOST and CORELO_AGENT_PORT.')
  })
  const facts = { server: settings.server, objects: settings.objects, out: settings.out, pin: settings.pin, port: health.port, version }
  log.info(facts, `health and metrics are on http://${host}:${health.port}`)
  try {
    await agent.watch(stop.signal)
  } finally {
    await health.close() // an agent that no longer looks must not say that it lives
  }
  log.info('stopped')
  return 'fine'
}

const SUMMARIES: Readonly<Record<OnceResult, (settings: AgentSettings) => string>> = {
  fine: ({ out }) => `every object has a good result for this kernel in ${out}`,
  finding: () => 'an object fails on this kernel; the lines above say why',
  wrong_setting: () => 'a setting cannot be used; the lines above say which one, and why',
  nothing_to_do: ({ objects }) => `there is no *.bpf.o or *.o in ${objects}; put the objects there, or give another folder with --objects`,
  cannot_tell: () => 'not every object could be settled; the lines above say why, and what is in use instead'
}

function resultOf (statuses: readonly ObjectStatus[], lastGoodOk: boolean): OnceResult {
  if (statuses.length === 0) return 'nothing_to_do'
  if (statuses.some(({ isFinding }) => isFinding)) return 'finding'
  if (statuses.some(({ failure }) => settingAtFault(failure) !== undefined)) return 'wrong_setting'
  const isFine = (status: ObjectStatus): boolean => status.failure === undefined && status.shown === 'current'
  return statuses.every(lastGoodOk ? isUsable : isFine) ? 'fine' : 'cannot_tell'
}

function countsOf (statuses: readonly ObjectStatus[]): Record<string, number> {
  const count = (isCounted: (status: ObjectStatus) => boolean): number => statuses.filter(isCounted).length
  return {
    objects: statuses.length,
    current: count(({ shown }) => shown === 'current'),
    last_good: count(({ shown }) => shown === 'last_good'),
    earlier: count(({ shown }) => shown === 'earlier'),
    nothing: count(({ shown }) => shown === 'nothing'),
    findings: count(({ isFinding }) => isFinding)
  }
}

/** Keys of another address than the service's, without the token that is for the service. */
async function fetchKeys (address: string, { timeoutMs, network }: AgentSettings): Promise<unknown> {
  const url = new URL(address)
  const transport = createTransport({ server: url.origin, timeoutMs, network })
  const { body } = await transport.send({ method: 'GET', path: `${url.pathname}${url.search}`, maxBytes: MAX_KEYS_BYTES })
  try {
    return JSON.parse(body.toString())
  } catch {
    throw invalidSetting(AGENT_SETTINGS.keys, `${address} answered with something else than keys (JWKS); ` +
      'give another address or a file with --keys.')
  }
}
