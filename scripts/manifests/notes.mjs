import { spawnSync } from 'node:child_process'
import { containersOf, podOf } from './documents.mjs'

/**
 * Whether what helm prints after an installation fits what it has installed.
 *
 * @param {string} notes
 * @param documents of the chart in the same settings
 * @returns {string[]} problems
 */
export function checkNotes (notes, documents) {
  const named = (kind, name) => documents.some(({ value }) => value.kind === kind && value.metadata.name === name)
  const service = documents.find(({ value }) => value.kind === 'Deployment')
  if (service === undefined) return ['there is no Deployment']
  const { spec } = podOf(service)
  const [{ image, env }] = containersOf(spec)
  const settings = new Map(env.map(({ name, value }) => [name, value]))
  const auth = settings.get('CORELO_AUTH')
  const commands = notes.split('\n').filter(line => line.startsWith('  ') && !line.startsWith('   and ')).join('\n')
  const shell = spawnSync('/bin/sh', ['-n', '-c', commands], { encoding: 'utf8' })
  const audiences = matches(/--audience (\S+?)[)\s]/g, notes)
  return [
    ...notes.includes('<no value>') || notes.includes('%!') ? ['a value is missing'] : [],
    ...shell.status === 0 ? [] : [`the shell does not take its commands: ${shell.stderr}`],
    ...notes.includes(image) ? [] : [`the image ${image} is not named`],
    ...matches(/deployment\/(\S+)/g, notes).filter(name => !named('Deployment', name)).map(name => `there is no Deployment ${name}`),
    ...matches(/svc\/(\S+)|http:\/\/([\w-]+)\.[\w-]+\.svc/g, notes).filter(name => !named('Service', name)).map(name =>
      `there is no Service ${name}`),
    ...neededBy(spec).filter(name => !notes.includes(name)).map(name => `the pods need the ${name}, which is not named`),
    ...audiences.filter(audience => audience !== settings.get('CORELO_JWT_AUDIENCE')).map(audience =>
      `no token for the audience ${audience} is taken`),
    ...auth === 'none' || notes.includes('authorization: Bearer') ? [] : ['callers need a token, and the request has none']
  ]
}

/** Secrets and ConfigMaps without which a pod does not start, but for what Kubernetes puts into every namespace. */
function neededBy (spec) {
  const sources = (spec.volumes ?? []).flatMap(volume => [volume, ...volume.projected?.sources ?? []])
  const references = containersOf(spec).flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom ?? []))
  const secrets = [...sources.flatMap(({ secret }) => secret ?? []), ...references.flatMap(({ secretKeyRef }) => secretKeyRef ?? [])]
  const maps = [
    ...sources.flatMap(({ configMap }) => configMap ?? []), ...references.flatMap(({ configMapKeyRef }) => configMapKeyRef ?? [])
  ]
  const needed = [...secrets.map(source => ({ ...source, kind: 'Secret' })), ...maps.map(source => ({ ...source, kind: 'ConfigMap' }))]
    .filter(({ optional, name }) => optional !== true && name !== 'kube-root-ca.crt')
  return [...new Set(needed.map(({ kind, secretName, name }) => `${kind} ${secretName ?? name}`))]
}

function matches (pattern, text) { return [...text.matchAll(pattern)].map(([, ...groups]) => groups.find(group => group !== undefined)) }
