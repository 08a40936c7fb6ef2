import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { launch } from '../http/harness.js'
import { createFakeService } from '../support/fake-service.js'

const ROOT = join(import.meta.dirname, '../..')
const CHART = join(ROOT, 'deploy/chart')
const AGENT_METRICS = join(ROOT, 'src/agent/metrics.ts')

interface Panel {
  readonly title: string
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
  readonly targets?: ReadonlyArray<{ readonly expr: string }>
}
interface Alert { readonly alert: string, readonly expr: string, readonly annotations: Readonly<Record<'summary' | 'description', string>> }

const dashboard = JSON.parse(readFileSync(join(CHART, 'files/dashboard.json'), 'utf8')) as { readonly panels: readonly Panel[] }
const alerts = (parse(readFileSync(
  join(CHART, 'files/alerts.yaml'), 'utf8'
)) as { readonly groups: ReadonlyArray<{ readonly rules: readonly Alert[] }> }).groups.flatMap(({ rules }) => rules)

const expressions = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `panel ${title}`, expr }))),
  ...alerts.map(({ alert, expr }) => ({ where: `alert ${alert}`, expr }))
]

/** Grafana puts a time where it says $__rate_interval. */
function nodesOf (expr: string): Array<{ readonly name: string, readonly text: string }> {
  const query = expr.replaceAll('$__rate_interval', '5m')
  const nodes: Array<{ name: string, text: string }> = []
  parser.parse(query).iterate({ enter: ({ name, from, to }) => { nodes.push({ name, text: query.slice(from, to) }) } })
  return nodes
}

const metricsOf = (expr: string): string[] =>
  nodesOf(expr).filter(({ name }) => name === 'VectorSelector').map(({ text }) => /^\w+/.exec(text)?.[0] ?? text)

describe('the dashboard and the alerts', () => {
  let exported: string

  beforeAll(async () => {
    const { app, request } = await launch(createFakeService(), {})
    exported = await (await request('/metrics')).text()
    await app.close()
  })

  it.each(expressions)('$where is PromQL', ({ expr }) => {
    expect(nodesOf(expr).filter(({ name }) => name === '⚠')).toEqual([])
    expect(metricsOf(expr)).not.toEqual([])
  })

  it.each(expressions.filter(({ expr }) =>
    metricsOf(expr).some(name => !name.startsWith('corelo_agent_'))))('$where asks for metrics that the service exports', ({ expr }) => {
    for (const name of metricsOf(expr).filter(name => !name.startsWith('corelo_agent_'))) {
      expect(exported).toMatch(new RegExp(`^# TYPE ${name.replace(/_(bucket|count|sum)$/, '(_$1)?')} `, 'm'))
    }
  })

  it.skipIf(!existsSync(AGENT_METRICS)).each(expressions.filter(({ expr }) =>
    expr.includes('corelo_agent_')))('$where asks for metrics that the agent exports', ({ expr }) => {
    const source = readFileSync(AGENT_METRICS, 'utf8')
    for (const name of metricsOf(expr).filter(name => name.startsWith('corelo_agent_'))) expect(source).toContain(`name: '${name}'`)
  })

  it('say in each alert what is wrong, and what follows from it', () => {
    for (const { alert, annotations } of alerts) {
      expect(annotations.summary, alert).toMatch(/\.$/)
      expect(annotations.description, alert).toMatch(/^.{40,}\.$/)
    }
  })

  it('have no two panels in one place', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + index % w},${y + Math.floor(index / w)}`))
    expect(new Set(cells).size).toBe(cells.length)
  })
})
