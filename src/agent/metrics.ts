import { collectDefaultMetrics, Counter, Gauge, Registry, type MetricObject } from 'prom-client'
import type { ObjectStatus, Shown } from './status.js'

const SHOWN: readonly Shown[] = ['current', 'last_good', 'earlier', 'nothing']

/** What became of one request for a relocation. `refused`: the answer was not believed. */
export type Outcome = 'relocated' | 'unchanged' | 'finding' | 'refused' | 'failed'

/** What GET /metrics tells. Objects are labels: their number is that of the files in a folder of the operator's. */
export interface Metrics {
  readonly requests: Counter<'outcome'>
  /** By problem code, and by cause where an answer was refused. */
  readonly failures: Counter<'code' | 'refusal'>
  readonly loads: Counter<'result'>
  readonly verdicts: Counter<'verdict'>
  readonly unexpected: Counter
  readonly lostLines: Counter
  readonly serviceUp: Gauge
  /** Seconds since 1970 of the last answer that was an answer. */
  readonly lastContact: Gauge
  readonly kernelBtf: Gauge
  show(statuses: ReadonlyMap<string, ObjectStatus>): void
  render(): Promise<{ readonly type: string, readonly text: string }>
  /** What there is, for docs/metrics.md, Node's own metrics included. */
  list(): ReadonlyArray<Pick<MetricObject, 'name' | 'help'> & { readonly labelNames?: readonly string[] }>
}

export function createMetrics (version: string): Metrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  new Gauge({
    name: 'corelo_agent_build_info',
    help: 'Always 1; the labels say which version runs.',
    labelNames: ['version', 'node'],
    registers
  }).set({ version, node: process.version }, 1)
  const objects = new Gauge({
    name: 'corelo_agent_objects',
    help: 'Number of objects by what the output folder has for them: current, last_good, earlier (the result of an earlier version ' +
      'of the object), nothing.',
    labelNames: ['shown'],
    registers
  })
  const findings = new Gauge({
    name: 'corelo_agent_object_finding',
    help: '1 if the object fails on this kernel.',
    labelNames: ['object'],
    registers
  })
  const lastGood = new Gauge({
    name: 'corelo_agent_object_last_good',
    help: '1 if an earlier copy of the object is in use because the service could not be asked.',
    labelNames: ['object'],
    registers
  })
  return {
    requests: new Counter({
      name: 'corelo_agent_requests_total',
      help: 'Relocations asked for, by outcome: relocated, unchanged, finding, refused (the answer was not trusted), failed.',
      labelNames: ['outcome'],
      registers
    }),
    failures: new Counter({
      name: 'corelo_agent_failures_total',
      help: 'Failures by problem code. If the answer was not trusted, refusal says why: not_signed, unknown_key, key_expired, ' +
        'bad_signature, wrong_result, wrong_object, wrong_btf, wrong_kernel, wrong_modules, malformed.',
      labelNames: ['code', 'refusal'],
      registers
    }),
    loads: new Counter({
      name: 'corelo_agent_loads_total',
      help: 'Loads into the kernel, by result: loaded, refused.',
      labelNames: ['result'],
      registers
    }),
    serviceUp: new Gauge({
      name: 'corelo_agent_service_up',
      help: '1 if the service answered when it was last asked, otherwise 0.',
      registers
    }),
    verdicts: new Counter({
      name: 'corelo_agent_verdicts_total',
      help: 'Results by the verdict that the service signed: loads, fails, unknown.',
      labelNames: ['verdict'],
      registers
    }),
    unexpected: new Counter({
      name: 'corelo_agent_unexpected_errors_total',
      help: 'Unexpected errors. The agent goes on and tries again.',
      registers
    }),
    lostLines: new Counter({ name: 'corelo_agent_log_lines_lost_total', help: 'Lines of the log that could not be written.', registers }),
    lastContact: new Gauge({
      name: 'corelo_agent_last_contact_timestamp_seconds',
      help: 'Time at which the service last answered.',
      registers
    }),
    kernelBtf: new Gauge({ name: 'corelo_agent_kernel_btf', help: '1 if the kernel exposes its own BTF, otherwise 0.', registers }),
    show (statuses) {
      for (const shown of SHOWN) objects.set({ shown }, [...statuses.values()].filter(status => status.shown === shown).length)
      findings.reset()
      lastGood.reset()
      for (const [object, { isFinding, shown }] of statuses) {
        findings.set({ object }, isFinding ? 1 : 0)
        lastGood.set({ object }, shown === 'last_good' ? 1 : 0)
      }
    },
    async render () { return { type: register.contentType, text: await register.metrics() } },
    list: () => register.getMetricsAsArray()
  }
}
