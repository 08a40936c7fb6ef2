// What we use of the Prometheus operator's custom resources, in their own words.
// https://github.com/prometheus-operator/prometheus-operator/blob/v0.80.0/Documentation/api-reference/api.md
import type { LabelSelector, ObjectMeta } from 'kubernetes-types/meta/v1.js'

type Duration = `${number}${'ms' | 's' | 'm' | 'h'}`

interface RelabelConfig {
  readonly sourceLabels?: readonly string[]
  readonly separator?: string
  readonly targetLabel?: string
  readonly regex?: string
  readonly replacement?: string
  readonly action?: 'replace' | 'keep' | 'drop' | 'labelmap' | 'labeldrop' | 'labelkeep'
}

interface Endpoint {
  readonly port?: string
  readonly path?: string
  readonly scheme?: 'http' | 'https'
  readonly interval?: Duration
  readonly scrapeTimeout?: Duration
  readonly honorLabels?: boolean
  readonly relabelings?: readonly RelabelConfig[]
  readonly metricRelabelings?: readonly RelabelConfig[]
}

interface Resource<Kind extends string, Spec> {
  readonly apiVersion: 'monitoring.coreos.com/v1'
  readonly kind: Kind
  readonly metadata: ObjectMeta
  readonly spec: Spec
}

export type ServiceMonitor = Resource<'ServiceMonitor', {
  readonly jobLabel?: string
  readonly targetLabels?: readonly string[]
  readonly selector: LabelSelector
  readonly endpoints: readonly Endpoint[]
}>

export type PodMonitor = Resource<'PodMonitor', {
  readonly jobLabel?: string
  readonly podTargetLabels?: readonly string[]
  readonly selector: LabelSelector
  readonly podMetricsEndpoints: readonly Endpoint[]
}>

export type PrometheusRule = Resource<'PrometheusRule', {
  readonly groups: ReadonlyArray<{
    readonly name: string
    readonly interval?: Duration
    readonly rules: ReadonlyArray<{
      readonly alert: string
      readonly expr: string
      readonly for?: Duration
      readonly labels?: Readonly<Record<string, string>>
      readonly annotations?: Readonly<Record<string, string>>
    }>
  }>
}>
