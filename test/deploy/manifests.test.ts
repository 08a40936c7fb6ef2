import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

type Tree = Record<string, unknown>

const CONTAINER = {
  name: 'corelo',
  image: 'corelo/corelo:0.1.0',
  args: ['serve'],
  env: [
    { name: 'CORELO_HOST', value: '127.0.0.1' }, { name: 'CORELO_PORT', value: '8080' }, { name: 'CORELO_SHUTDOWN_MS', value: '35000' }
  ],
  ports: [{ name: 'http', containerPort: 8080 }],
  resources: { limits: { memory: '1Gi' } },
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
}
const POD = {
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  terminationGracePeriodSeconds: 45,
  securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } }
}

/** A manifest that nothing is wrong with, but for what is changed. */
function deployment (
  name: string, changes: { readonly spec?: Tree, readonly pod?: Tree, readonly container?: Tree, readonly selector?: Tree } = {}
): Tree {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: changes.selector ?? { app: name } },
      template: {
        metadata: { labels: { app: name } }, spec: { ...POD, containers: [{ ...CONTAINER, ...changes.container }], ...changes.pod }
      },
      ...changes.spec
    }
  }
}

const volume = (name: string, source: Tree): Tree =>
  ({ pod: { volumes: [{ name, ...source }] }, container: { volumeMounts: [{ name, mountPath: '/v' }] } })
const env = (...pairs: ReadonlyArray<readonly [name: string, value: string]>): Tree =>
  ({ container: { env: [...CONTAINER.env, ...pairs.map(([name, value]) => ({ name, value }))] } })
const pod = (security: Tree): Tree => ({ pod: { securityContext: { ...POD.securityContext, ...security } } })
const container = (security: Tree): Tree => ({ container: { securityContext: { ...CONTAINER.securityContext, ...security } } })

/** What is wrong, and a part of what has to be said about it. */
const MISTAKES: ReadonlyArray<readonly [mistake: string, said: string, changes: Tree]> = [
  [
    'a misspelt field of a Deployment', "'replica' does not exist in type 'DeploymentSpec'",
    { spec: { replica: 2, selector: { matchLabels: { app: 'x' } } } }
  ],
  [
    'a misspelt probe', "'readynessProbe' does not exist in type 'Container'",
    { container: { readynessProbe: { httpGet: { path: '/readyz', port: 'http' } } } }
  ],
  [
    'a port that is a text', "Type 'string' is not assignable to type 'number'",
    { container: { ports: [{ name: 'http', containerPort: '8080' }] } }
  ],
  [
    'a number where a quantity has to be', "Type 'number' is not assignable to type 'string'",
    { container: { resources: { limits: { memory: 1 } } } }
  ],
  ["the node's network", 'Pod Security: hostNetwork is set', { pod: { hostNetwork: true } }],
  ["the node's processes", 'Pod Security: hostPID is set', { pod: { hostPID: true } }],
  ["the node's IPC", 'Pod Security: hostIPC is set', { pod: { hostIPC: true } }],
  ["the node's files", 'Pod Security: the volume node is a hostPath', volume('node', { hostPath: { path: '/' } })],
  [
    'an in-tree volume of a storage system', 'Pod Security: the volume share is a nfs', volume('share', { nfs: { server: 'x', path: '/' } })
  ],
  ['a port of the node', "takes the host's port 80", { container: { ports: [{ name: 'http', containerPort: 8080, hostPort: 80 }] } }],
  [
    'a probe of another host', 'a probe or hook names a host',
    { container: { livenessProbe: { httpGet: { path: '/livez', port: 'http', host: '192.0.2.1' } } } }
  ],
  ['a privileged container', 'is privileged', container({ privileged: true })],
  ['privilege escalation', 'allowPrivilegeEscalation is not false', container({ allowPrivilegeEscalation: undefined })],
  ['capabilities that are kept', 'does not drop ALL capabilities', container({ capabilities: { drop: ['NET_RAW'] } })],
  [
    'capabilities that are added', 'adds the capability BPF',
    container({ capabilities: { drop: ['ALL'], add: ['BPF', 'NET_BIND_SERVICE'] } })
  ],
  ['an unmasked /proc', 'procMount is Unmasked', container({ procMount: 'Unmasked' })],
  ['a container that is root', 'corelo: runs as user 0', container({ runAsUser: 0 })],
  ['a pod that is root', 'the pod runs as user 0', pod({ runAsUser: 0 })],
  ['a pod that may be root', 'runAsNonRoot is not true', pod({ runAsNonRoot: undefined })],
  ['no seccomp profile', 'has no seccomp profile', pod({ seccompProfile: undefined })],
  ['seccomp switched off', 'seccomp is Unconfined', container({ seccompProfile: { type: 'Unconfined' } })],
  ['AppArmor switched off', 'AppArmor is Unconfined', pod({ appArmorProfile: { type: 'Unconfined' } })],
  ['an SELinux type of the system', 'SELinux type is spc_t', pod({ seLinuxOptions: { type: 'spc_t' } })],
  ['an SELinux user', 'SELinux user or role is set', pod({ seLinuxOptions: { user: 'root' } })],
  ['an unsafe sysctl', 'the sysctl kernel.msgmax is not a safe one', pod({ sysctls: [{ name: 'kernel.msgmax', value: '1' }] })],
  ['a Windows host process', 'hostProcess is set', pod({ windowsOptions: { hostProcess: true } })],
  ['a setting that there is not', 'corelo has no setting CORELO_PORTS', env(['CORELO_PORTS', '1'])],
  ['a setting with a value that it cannot have', 'CORELO_DEADLINE_MS must be a whole number', env(['CORELO_DEADLINE_MS', 'long'])],
  ['a setting that is given twice', 'CORELO_PORT is set twice', env(['CORELO_PORT', '8080'])],
  ['a file where nothing is mounted', 'where nothing is mounted', env(['CORELO_CACHE_DIR', '/nowhere'])],
  [
    'a service that everybody may call without anybody having said so', 'CORELO_AUTH',
    { container: { env: [{ name: 'CORELO_HOST', value: '0.0.0.0' }] } }
  ],
  [
    'a port that is not the one listened on', 'CORELO_PORT is 8080, which is none of its ports',
    { container: { ports: [{ name: 'http', containerPort: 8081 }] } }
  ],
  [
    'a probe of a path that there is not', 'corelo has no /healthz',
    { container: { livenessProbe: { httpGet: { path: '/healthz', port: 'http' } } } }
  ],
  [
    'a probe of a port that there is not', 'there is no port web',
    { container: { livenessProbe: { httpGet: { path: '/livez', port: 'web' } } } }
  ],
  ['a grace period shorter than the shutdown', 'the grace period is not longer', { pod: { terminationGracePeriodSeconds: 30 } }],
  [
    'a cache as large as its volume', 'CORELO_CACHE_BYTES is more than 90 %',
    {
      ...volume('cache', { emptyDir: { sizeLimit: '1Gi' } }),
      container: {
        env: [...CONTAINER.env, { name: 'CORELO_CACHE_BYTES', value: String(2 ** 30) }], volumeMounts: [{ name: 'cache', mountPath: '/v' }]
      }
    }
  ],
  ['a volume without a bound', 'emptyDir scratch has no sizeLimit', volume('scratch', { emptyDir: {} })],
  [
    'a limit that evicts the pod when its cache is full', 'below the sizes of the emptyDir volumes',
    {
      ...volume('scratch', { emptyDir: { sizeLimit: '1Gi' } }),
      container: {
        resources: { limits: { memory: '1Gi', 'ephemeral-storage': '512Mi' } }, volumeMounts: [{ name: 'scratch', mountPath: '/v' }]
      }
    }
  ],
  ['a volume that there is not', 'there is no volume missing', { container: { volumeMounts: [{ name: 'missing', mountPath: '/v' }] } }],
  [
    'a volume that nobody mounts', 'nobody mounts the volume lonely',
    { pod: { volumes: [{ name: 'lonely', emptyDir: { sizeLimit: '1Mi' } }] } }
  ],
  ['an image without a version', 'has no version', { container: { image: 'corelo/corelo:latest' } }],
  ['a root file system that can be written to', 'its root file system can be written to', container({ readOnlyRootFilesystem: false })],
  ['memory without a limit', 'its memory has no limit', { container: { resources: {} } }],
  ["a token of the API server's", 'automountServiceAccountToken', { pod: { automountServiceAccountToken: undefined } }],
  ['variables of Services', 'enableServiceLinks is not false', { pod: { enableServiceLinks: true } }],
  ['a selector that selects other pods', 'its selector does not select its own pods', { selector: { app: 'other' } }]
]

const work = mkdtempSync(join(tmpdir(), 'corelo-manifests-'))
afterAll(() => { rmSync(work, { recursive: true }) })

/** Each document is a manifest of its own. JSON is YAML, too. */
function check (documents: readonly Tree[]): { status: number | null, said: string[] } {
  const paths = documents.map((document, index) => {
    const path = join(work, `${index}.yaml`)
    writeFileSync(path, Array.isArray(document) ? document.map(part => JSON.stringify(part)).join('\n---\n') : JSON.stringify(document))
    return path
  })
  const { status, stderr } = spawnSync(process.execPath, ['scripts/check-manifests.mjs', ...paths], { encoding: 'utf8' })
  return { status, said: stderr.split('\n') }
}

describe('the checks of manifests', () => {
  it('have nothing to say about a manifest that is right', () => {
    expect(check([deployment('right')])).toEqual({ status: 0, said: [''] })
  })

  const { status, said } = check([
    ...MISTAKES.map(([, , changes], index) => deployment(`case-${index}`, changes)),
    {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'ServiceMonitor',
      metadata: { name: 'monitor' },
      spec: { selector: {}, endpoint: [{ port: 'http' }] }
    },
    { apiVersion: 'example.com/v1', kind: 'Invention', metadata: { name: 'unknown' } },
    [
      deployment('both'),
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'lost' }, spec: { selector: { app: 'nobody' }, ports: [{ port: 80 }] } }
    ] as unknown as Tree,
    [deployment('both'), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'deaf' },
      spec: { selector: { app: 'both' }, ports: [{ port: 80, targetPort: 9999 }] }
    }] as unknown as Tree
  ])
  const about = (name: string): string => said.filter(line => line.includes(` ${name}: `)).join('\n')

  it('fail where anything is wrong', () => { expect(status).toBe(1) })
  it.each(MISTAKES.map(([mistake, expected], index) =>
    ({ mistake, expected, name: `case-${index}` })))('find $mistake', ({ expected, name }) => {
    expect(about(name)).toContain(expected)
  })
  it('find a misspelt field of a ServiceMonitor', () => { expect(about('monitor')).toContain("'endpoint' does not exist") })
  it('find a kind whose schema nobody knows', () => { expect(about('unknown')).toContain('no schema is known') })
  it('find a Service that selects nothing', () => { expect(about('lost')).toContain('selects no pod') })
  it('find a Service whose port nobody listens on', () => { expect(about('deaf')).toContain('has a port 9999') })
})
