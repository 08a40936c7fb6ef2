import { readFileSync } from 'node:fs'
import { containersOf, podOf } from './documents.mjs'

const AGENT_PATHS = ['/livez', '/readyz', '/metrics']
const PROBES = ['startupProbe', 'readinessProbe', 'livenessProbe']
/** Variables that others than us read. */
const FOREIGN = /^(AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION|ENDPOINT_URL(_S3)?)|NODE_EXTRA_CA_CERTS|NODE_OPTIONS)$/
const UNITS = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }
/** A store may pass its budget by what is being written. */
const CACHE_SHARE = 0.9

/** Whether manifests agree with the code, and with themselves. */
export async function checkAgreement (root, documents) {
  const facts = await readFacts(root)
  return documents.flatMap(document => {
    const pod = podOf(document)
    const problems = [
      ...pod === undefined
        ? []
        : [...checkPod(pod.spec), ...containersOf(pod.spec).flatMap(container =>
            checkContainer(container, pod.spec, facts).map(problem => `${container.name}: ${problem}`))],
      ...checkSelectors(document, pod, documents)
    ]
    return problems.map(problem => `${document.name}: ${problem}`)
  })
}

async function readFacts (root) {
  const { readConfig } = await import(`${root}dist/http/config.js`)
  const { LISTED } = await import(`${root}dist/settings/listed-settings.js`)
  const { paths } = JSON.parse(readFileSync(`${root}docs/openapi.json`, 'utf8'))
  return {
    serve: { settings: LISTED.service.map(({ env }) => env), paths: Object.keys(paths), port: 'CORELO_PORT', readConfig },
    agent: { settings: LISTED.agent.map(({ env }) => env), paths: AGENT_PATHS, port: 'CORELO_AGENT_PORT' }
  }
}

function checkPod (spec) {
  const volumes = (spec.volumes ?? []).map(({ name }) => name)
  const mounted = containersOf(spec).flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name))
  const scratch = (spec.volumes ?? []).filter(({ emptyDir }) => emptyDir !== undefined && emptyDir.medium !== 'Memory')
  const limit = (spec.containers ?? []).map(({ resources }) => resources?.limits?.['ephemeral-storage'])
  return [
    ...mounted.filter(name => !volumes.includes(name)).map(name => `there is no volume ${name}`),
    ...volumes.filter(name => !mounted.includes(name)).map(name => `nobody mounts the volume ${name}`),
    ...scratch.filter(({ emptyDir }) => emptyDir.sizeLimit === undefined).map(({ name }) => `emptyDir ${name} has no sizeLimit`),
    ...limit.every(value => value !== undefined) &&
      sum(limit.map(toBytes)) < sum(scratch.map(({ emptyDir }) => toBytes(emptyDir.sizeLimit ?? '0')))
      ? ['the limits of ephemeral-storage are below the sizes of the emptyDir volumes, which count as such']
      : [],
    spec.automountServiceAccountToken !== false && "it is given a token of the API server's (automountServiceAccountToken)",
    spec.enableServiceLinks !== false && 'enableServiceLinks is not false: a Service called corelo would set CORELO_PORT'
  ].filter(problem => problem !== false)
}

function checkContainer (container, spec, facts) {
  const ports = container.ports ?? []
  const command = container.command === undefined ? container.args?.[0] : undefined
  const ours = command === undefined ? undefined : facts[command]
  const env = Object.fromEntries((container.env ?? []).map(({ name, value = '', valueFrom }) =>
    [name, valueFrom === undefined ? value : 'from a Secret']))
  return [
    !/(:(?!latest)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(container.image.split('/').at(-1)) && `the image ${container.image} has no version`,
    container.securityContext?.readOnlyRootFilesystem !== true && 'its root file system can be written to',
    ...PROBES.flatMap(probe => {
      const get = container[probe]?.httpGet
      if (get === undefined) return []
      return [
        !ports.some(({ name, containerPort }) => get.port === name || get.port === containerPort) &&
          `${probe}: there is no port ${get.port}`,
        ours !== undefined && !ours.paths.includes(get.path) && `${probe}: corelo has no ${get.path}`
      ]
    }),
    ...ours === undefined ? [] : checkOurs(container, spec, ours, env)
  ].filter(problem => problem !== false)
}

function checkOurs (container, spec, { settings, port, readConfig }, env) {
  const names = (container.env ?? []).map(({ name }) => name)
  const mounts = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath)
  const cache = (spec.volumes ?? []).find(({ name }) => name === 'cache')
  const cacheSize = toBytes(cache?.emptyDir?.sizeLimit ?? cache?.ephemeral?.volumeClaimTemplate?.spec?.resources?.requests?.storage ?? '0')
  return [
    ...names.filter((name, index) => names.indexOf(name) !== index).map(name => `${name} is set twice`),
    ...settings === undefined
      ? []
      : names.filter(name => !settings.includes(name) && !FOREIGN.test(name)).map(name => `corelo has no setting ${name}`),
    ...Object.entries(env).filter(([name, value]) => /_(FILE|KEYS|OBJECTS|OUT|PIN|DIR|CA_CERTS|TOKEN_FILE)$/.test(name) &&
      value.startsWith('/') && !mounts.some(mount => value === mount || value.startsWith(`${mount}/`)))
      .map(([name, value]) => `${name} is ${value}, where nothing is mounted`),
    env[port] !== undefined && !(container.ports ?? []).some(({ containerPort }) => String(containerPort) === env[port]) &&
      `${port} is ${env[port]}, which is none of its ports`,
    container.resources?.limits?.memory === undefined && 'its memory has no limit',
    env['CORELO_SHUTDOWN_MS'] !== undefined && spec.terminationGracePeriodSeconds * 1000 <= Number(env['CORELO_SHUTDOWN_MS']) &&
      'the grace period is not longer than CORELO_SHUTDOWN_MS',
    cacheSize > 0 && Number(env['CORELO_CACHE_BYTES']) > CACHE_SHARE * cacheSize &&
      `CORELO_CACHE_BYTES is more than ${CACHE_SHARE * 100} % of the volume's size`,
    readConfig !== undefined && whyNot(() => readConfig({ ...env, CORELO_CA_FILE: '' })) // a file that is in the pod only
  ].filter(problem => problem !== false)
}

/** Selectors that select nothing, and ports that nobody listens on. */
function checkSelectors ({ source, value }, pod, documents) {
  const pods = documents
    .filter(other => other.source === source)
    .flatMap(other => { const made = podOf(other); return made === undefined ? [] : [made] })
  const chosenBy = labels => pods.filter(({ labels: own }) => Object.entries(labels).every(([key, text]) => own[key] === text))
  const selector = value.kind === 'Service'
    ? value.spec.selector
    : value.kind === 'NetworkPolicy' ? value.spec.podSelector.matchLabels : value.spec?.selector?.matchLabels
  if (selector === undefined || pods.length === 0) return []
  if (pod !== undefined) {
    return chosenBy(selector).includes(pod) || chosenBy(selector).some(({ spec }) => spec === pod.spec)
      ? []
      : ['its selector does not select its own pods']
  }
  const chosen = chosenBy(selector)
  if (chosen.length === 0) return source.includes('examples/') ? [] : ['its selector selects no pod']
  const ports = chosen.flatMap(({ spec }) => containersOf(spec).flatMap(({ ports = [] }) => ports))
  const has = port => ports.some(({ name, containerPort }) => port === name || port === containerPort)
  const wanted = value.kind === 'Service'
    ? value.spec.ports.map(({ port, targetPort = port }) => targetPort)
    : value.kind === 'NetworkPolicy'
      ? (value.spec.ingress ?? []).flatMap(({ ports = [] }) => ports.map(({ port }) => port))
      : value.kind === 'PodMonitor' ? value.spec.podMetricsEndpoints.map(({ port }) => port) : []
  return wanted.filter(port => !has(port)).map(port => `no pod that it selects has a port ${port}`)
}

function toBytes (quantity) {
  const [, number, unit = ''] = /^(\d+)(Ki|Mi|Gi|Ti)?$/.exec(String(quantity)) ?? []
  return Number(number) * UNITS[unit]
}

function sum (numbers) { return numbers.reduce((total, number) => total + number, 0) }

function whyNot (action) {
  try {
    action()
    return false
  } catch (error) {
    return error.message
  }
}
