import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'

const IMAGES = sets({ 'image.service': 'registry.example.com/corelo', 'image.agent': 'registry.example.com/corelo-agent' })
const AGENT = ['--set', 'agent.enabled=true', '--set', 'agent.objects.configMap.name=my-objects']

/** Settings in which the chart is rendered. Between them every branch of its templates is taken. */
export const SETTINGS = [
  { name: 'defaults', args: [] },
  { name: 'S3', args: ['-f', 'deploy/examples/values-s3.yaml'] },
  { name: 'agents', args: ['-f', 'deploy/examples/values-agent.yaml'] },
  {
    name: 'agents that load nothing, keys outside of the cluster',
    args: [...AGENT, ...sets({
      'auth.jwt.fromApiServer': false,
      'auth.jwt.jwksUrl': 'https://issuer.example.com/keys',
      'auth.jwt.issuer': 'https://issuer.example.com'
    })]
  },
  {
    name: 'everything',
    args: [...AGENT, ...sets({
      'agent.pin.enabled': true,
      'agent.pin.extraCapabilities': '{NET_ADMIN,SYS_RESOURCE}',
      'agent.keysConfigMap': 'corelo-keys',
      'agent.env.CORELO_AGENT_REFRESH_MS': '60000',
      'auth.mode': 'token',
      'service.cache.kind': 'ephemeral',
      'service.cache.storageClassName': 'fast',
      'service.sharedStore.url': 's3://bucket/prefix',
      'service.sharedStore.secret': 's3',
      'service.sharedStore.region': 'us-east-1',
      'service.sharedStore.endpoint': 'https://s3.example.com',
      'service.upstream': 'https://corelo.example.com',
      'service.btfhubUrl': 'https://btf.example.com/archive',
      'service.packages': 'debian',
      'service.watch': 'debian/12/x86_64/*',
      'service.webhook.url': 'http://checks.example.com:8443/hooks',
      'service.webhook.secret': 'corelo-webhook',
      'service.env.CORELO_DEADLINE_MS': '5000',
      'service.priorityClassName': 'high',
      'service.nodeSelector.pool': 'infra',
      'service.podAnnotations.owner': 'platform',
      'image.serviceDigest': `sha256:${'0'.repeat(64)}`,
      'image.pullSecrets[0].name': 'registry',
      'monitoring.enabled': true,
      'monitoring.labels.release': 'prometheus',
      'monitoring.dashboard.enabled': true
    })]
  },
  {
    name: 'proxies and an authority, beside that of the API server',
    args: sets({
      'service.packages': 'debian',
      'service.webhook.url': 'http://checks.example.com',
      'service.webhook.secret': 'corelo-webhook',
      'network.httpsProxy': 'http://proxy.example.com:3128',
      'network.httpProxy': 'http://proxy.example.com:3128/',
      'network.caConfigMap': 'company-ca'
    })
  },
  {
    name: 'open, fixed size, no archive',
    args: sets({ 'auth.mode': 'none', 'service.autoscaling.enabled': false, 'service.btfhubUrl': 'none', 'networkPolicy.enabled': false })
  }
]

/** Settings that the chart must refuse, and how. */
export const WRONG_SETTINGS = [
  { name: 'no image', args: sets({ 'image.service': '' }), message: 'image.service must name the image' },
  { name: 'an image with a tag', args: sets({ 'image.service': 'registry.example:5000/corelo:1' }), message: 'a repository without tag' },
  { name: 'a setting that is misspelt', args: sets({ 'service.replica': 3 }), message: "additional properties 'replica' not allowed" },
  { name: 'a value of a wrong type', args: sets({ 'service.workers': 'many' }), message: '/service/workers' },
  { name: 'an unknown way of access', args: sets({ 'auth.mode': 'open' }), message: '/auth/mode' },
  { name: 'a proxy without a scheme', args: sets({ 'network.httpsProxy': 'proxy.example.com:3128' }), message: '/network/httpsProxy' },
  {
    name: 'a grace period shorter than the shutdown',
    args: sets({ 'service.terminationGracePeriodSeconds': 20 }),
    message: 'terminationGracePeriodSeconds must be longer'
  },
  { name: 'an agent without objects', args: sets({ 'agent.enabled': true }), message: 'agent.objects must be a volume' },
  {
    name: 'a store without credentials',
    args: sets({ 'service.sharedStore.url': 's3://b/p' }),
    message: 'service.sharedStore.secret must name'
  },
  {
    name: 'a webhook without what signs',
    args: sets({ 'service.packages': 'debian', 'service.webhook.url': 'https://checks.example.com' }),
    message: 'service.webhook.secret must name'
  },
  { name: 'nothing to watch', args: sets({ 'service.watch': 'debian/12/x86_64/*' }), message: 'need a list of kernels to watch' },
  {
    name: 'a capability too many',
    args: [...AGENT, ...sets({ 'agent.pin.extraCapabilities': '{SYS_PTRACE}' })],
    message: '/agent/pin/extraCapabilities'
  }
]

/** The first helm that there is, or undefined. */
export function findHelm (root) {
  return [
    process.env.CORELO_HELM, `${homedir()}/.cache/corelo/helm`, ...(process.env.PATH ?? '').split(':').map(folder => `${folder}/helm`)
  ]
    .find(path => path !== undefined && path !== '' && existsSync(path))
}

export function render (helm, root, args, chart = 'deploy/chart') {
  const { status, stdout, stderr, error } = spawnSync(
    helm, ['template', 'corelo', chart, '--namespace', 'corelo', ...IMAGES, ...args], { cwd: root, encoding: 'utf8' }
  )
  return status === 0 ? { text: stdout } : { error: error?.message ?? stderr }
}

/** What helm prints after an installation, which it leaves out of the manifests: a copy of the chart has a document with it. */
export function renderNotes (helm, root, args) {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-chart-'))
  try {
    cpSync(join(root, 'deploy/chart'), folder, { recursive: true })
    writeFileSync(
      join(folder, 'templates/notes-as-json.yaml'), 'notes: {{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}\n'
    )
    const { text, error } = render(helm, root, ['--show-only', 'templates/notes-as-json.yaml', ...args], folder)
    return text === undefined ? { error } : { text: parse(text).notes }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export function lint (helm, root) {
  const { status, stdout, stderr } = spawnSync(helm, ['lint', '--strict', 'deploy/chart', ...IMAGES], { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  console.error(stdout, stderr)
  process.exit(1)
}

function sets (values) {
  return Object.entries(values).flatMap(([key, value]) =>
    [typeof value === 'string' && !value.startsWith('{') ? '--set-string' : '--set', `${key}=${value}`])
}
