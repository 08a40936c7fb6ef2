import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, type MetricObject } from 'prom-client'
import type { Service } from '../service/types.js'
import type { Verdict } from '../wire/report.js'
import { ENGINE } from '../relocation/engine.js'
import { lostLines } from './log.js'
import { SeriesHistogram, type Series } from './series-histogram.js'

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const PHASE_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** What GET /metrics tells. No label takes its values from a request, so that their number is bounded. */
export interface Metrics {
  countRequest (method: string, route: string, status: number, seconds: number): void
  /** These are plain numbers, read when somebody asks for them: they change with every request. */
  countBegin (): void
  countEnd (): void
  readonly problems: Counter<'code'>
  countRelocation (verdict: Verdict, cached: boolean): void
  readonly phaseSeconds: Histogram<'phase'>
  /** The text format, and its media type. */
  render (): Promise<{ readonly type: string, readonly text: string }>
  /** What there is, for docs/metrics.md. Node's own metrics are left out. */
  list (): readonly MetricFacts[]
}

export type MetricFacts = Pick<MetricObject, 'name' | 'help'> & { readonly labelNames?: readonly string[] }

/** Node's own metrics are about the process, not about one server in it. */
let processRegistry: Registry | undefined

function getProcessRegistry (): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry()
    collectDefaultMetrics({ register: processRegistry })
  }
  return processRegistry
}

export function createMetrics (service: Service, uploadBytes: () => number): Metrics {
  const register = new Registry()
  const registers = [register]
  const labelNames = ['version', 'semantics', 'node']
  new Gauge({ name: 'corelo_build_info', help: 'Always 1; the labels say which version runs.', labelNames, registers })
    .set({ version: ENGINE.version, semantics: ENGINE.semantics, node: process.version }, 1)
  addServiceMetrics(service, uploadBytes, registers)
  const relocations: Record<Verdict, { cached: number, made: number }> = {
    loads: { cached: 0, made: 0 },
    fails: { cached: 0, made: 0 },
    unknown: { cached: 0, made: 0 }
  }
  addCounter(registers, 'corelo_relocations_total',
    'Relocations answered, by verdict and whether the result was cached.', ['verdict', 'cached'],
    () => Object.entries(relocations).flatMap(([verdict, { cached, made }]) => [
      [{ verdict, cached: 'true' }, cached],
      [{ verdict, cached: 'false' }, made]
    ]))
  addCounter(registers, 'corelo_log_lines_lost_total', 'Log lines that could not be written to standard output.', [],
    () => [[{}, lostLines()]])
  let inFlight = 0
  addGauge(registers, 'corelo_http_requests_in_flight', 'Requests being answered.', () => inFlight)
  return {
    countBegin () { inFlight++ },
    countEnd () { inFlight-- },
    countRelocation (verdict, cached) { relocations[verdict][cached ? 'cached' : 'made']++ },
    countRequest: createRequestCounter(registers),
    problems: new Counter({ name: 'corelo_problems_total', help: 'Error answers by problem code.', labelNames: ['code'], registers }),
    phaseSeconds: new Histogram({
      name: 'corelo_relocation_phase_duration_seconds',
      help: 'Time of each phase of a relocation. A phase that was not needed is not counted.',
      labelNames: ['phase'],
      buckets: PHASE_SECONDS,
      registers
    }),
    async render () {
      return { type: register.contentType, text: `${await getProcessRegistry().metrics()}\n${await register.metrics()}` }
    },
    list: () => register.getMetricsAsArray()
  }
}

/** Times requests by method, route and status. */
function createRequestCounter (registers: Registry[]): Metrics['countRequest'] {
  const histogram = new SeriesHistogram({
    name: 'corelo_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last byte of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_SECONDS,
    registers
  })
  const series = new Map<string, Map<string, Map<number, Series>>>()
  return (method, route, status, seconds) => {
    let ofRoute = series.get(route)
    if (ofRoute === undefined) series.set(route, ofRoute = new Map())
    let ofMethod = ofRoute.get(method)
    if (ofMethod === undefined) ofRoute.set(method, ofMethod = new Map())
    let ofStatus = ofMethod.get(status)
    if (ofStatus === undefined) ofMethod.set(status, ofStatus = histogram.add({ method, route, status }))
    ofStatus.observe(seconds)
  }
}

type Counts = ReadonlyArray<readonly [labels: Record<string, string>, count: number]>

/** A counter that somebody else counts, read when it is asked for. */
function addCounter (registers: Registry[], name: string, help: string, labelNames: readonly string[], read: () => Counts): Counter {
  return new Counter({
    name,
    help,
    labelNames,
    registers,
    collect () {
      this.reset()
      for (const [labels, count] of read()) this.inc(labels, count)
    }
  })
}

/** A number that somebody else knows, read when it is asked for. */
function addGauge (registers: Registry[], name: string, help: string, read: () => number): Gauge {
  return new Gauge({ name, help, registers, collect () { this.set(read()) } })
}

/** What the service counts, read when somebody asks for it. */
function addServiceMetrics (service: Service, uploadBytes: () => number, registers: Registry[]): void {
  const labelledGauge = (name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): Gauge => new Gauge({
    name,
    help,
    labelNames: [label],
    registers,
    collect () { for (const [value, number] of Object.entries(read())) this.set({ [label]: value }, number) }
  })
  addGauge(registers, 'corelo_upload_bytes', 'Bytes of uploads that requests in flight hold in memory.', uploadBytes)
  addGauge(registers, 'corelo_jobs_queued', 'Relocations that wait for a worker.', () => service.stats().queued)
  addGauge(registers, 'corelo_jobs_running', 'Relocations that a worker is doing.', () => service.stats().running)
  addGauge(registers, 'corelo_checks_running', 'Checks being answered.', () => service.stats().checks.running)
  addCounter(registers, 'corelo_check_rows_total', 'Rows of checks: an object on a kernel.', [], () => [[{}, service.stats().checks.rows]])
  addCounter(registers, 'corelo_check_relocations_total', 'Relocations that checks needed for their rows.', [],
    () => [[{}, service.stats().checks.relocations]])
  addGauge(registers, 'corelo_memory_tier_bytes', 'Bytes of BTFs, objects and results in memory.', () => service.stats().memoryBytes)
  addGauge(registers, 'corelo_memory_tier_entries', 'BTFs in memory.', () => service.stats().memoryEntries)
  addGauge(registers, 'corelo_disk_tier_bytes', 'Bytes in the content store.', () => service.stats().diskBytes)
  labelledGauge('corelo_degraded',
    '1 if the service runs without this part: disk (it takes no writes) or shared_store (it does not answer).', 'why',
    () => Object.fromEntries(Object.entries(service.stats().degraded).map(([why, isDegraded]) => [why, isDegraded ? 1 : 0])))
  addCounter(registers, 'corelo_worker_restarts_total', 'Workers that were replaced after a failure.', [],
    () => [[{}, service.stats().workerRestarts]])
  addGauge(registers, 'corelo_source_waiters', 'Requests that wait for a source of BTF.', () => service.stats().sourceWaiters)
  addCounter(registers, 'corelo_source_requests_total', 'Requests to sources of BTF, by source and outcome.', ['source', 'outcome'],
    () => service.stats().sourceRequests.map(({ source, outcome, count }) => [{ source, outcome }, count] as const))
  addGauge(registers, 'corelo_fetch_jobs', 'Fetches from package repositories in progress.', () => service.stats().fetchJobs)
  addGauge(registers, 'corelo_published_kernels', 'Kernels that the package repositories list.',
    () => service.stats().packages?.published ?? 0)
  addCounter(registers, 'corelo_package_downloads_total', 'Kernel packages downloaded, by outcome: found, refused.', ['outcome'], () => {
    const { downloads = 0, failures = 0 } = service.stats().packages ?? {}
    return [[{ outcome: 'found' }, downloads - failures], [{ outcome: 'refused' }, failures]]
  })
  addCounter(registers, 'corelo_package_bytes_total', 'Bytes of kernel packages downloaded.', [],
    () => [[{}, service.stats().packages?.bytes ?? 0]])
  addCounter(registers, 'corelo_new_kernels_total',
    'Kernels that sources list and did not list before, as far as CORELO_WATCH names them.', [],
    () => [[{}, service.stats().watch?.newKernels ?? 0]])
  addCounter(registers, 'corelo_kernels_fetched_ahead_total',
    'New kernels that were fetched before anybody asked, by what came of it.', ['outcome'], () => {
      const { fetched = 0, failed = 0 } = service.stats().watch ?? {}
      return [[{ outcome: 'fetched' }, fetched], [{ outcome: 'failed' }, failed]]
    })
  addGauge(registers, 'corelo_fetch_ahead_waiting', 'New kernels that are still to be fetched ahead.',
    () => service.stats().watch?.waiting ?? 0)
  addCounter(registers, 'corelo_webhook_attempts_total',
    'Attempts to tell CORELO_WEBHOOK of an event, by what came of it.', ['outcome'], () => {
      const { delivered = 0, failed = 0 } = service.stats().watch?.webhook ?? {}
      return [[{ outcome: 'delivered' }, delivered], [{ outcome: 'failed' }, failed]]
    })
  addCounter(registers, 'corelo_webhook_events_dropped_total',
    'Events that CORELO_WEBHOOK did not take for so long that they were given up.', [],
    () => [[{}, service.stats().watch?.webhook?.dropped ?? 0]])
  addGauge(registers, 'corelo_webhook_events_waiting', 'Events that CORELO_WEBHOOK has not taken yet.',
    () => service.stats().watch?.webhook?.waiting ?? 0)
  addCounter(registers, 'corelo_cache_events_total', 'Cache hits, misses and other events.', ['event'],
    () => Object.entries(service.stats().cache).map(([event, count]) => [{ event }, count]))
}
