import { containersOf, podOf } from './documents.mjs'

// Pod Security Standards, profile "restricted", which includes all of "baseline".
// https://kubernetes.io/docs/concepts/security/pod-security-standards/

const SYSCTLS = [
  'kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes'
]
const SELINUX_TYPES = [undefined, '', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']
const VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret']
const SECCOMP = ['RuntimeDefault', 'Localhost']
const HANDLERS = [c => c.livenessProbe, c => c.readinessProbe, c => c.startupProbe, c => c.lifecycle?.preStop, c => c.lifecycle?.postStart]

/** Pods that must hold to it: those of Deployments. An agent's pod cannot, since it writes to its node. */
export function checkPodSecurity (documents) {
  return documents.filter(({ value }) => value.kind === 'Deployment' || value.metadata?.labels?.['pod-security'] === 'restricted')
    .flatMap(document => violations(podOf(document).spec).map(violation => `${document.name}: Pod Security: ${violation}`))
}

function violations (spec) {
  const pod = spec.securityContext ?? {}
  return [
    ...['hostNetwork', 'hostPID', 'hostIPC'].filter(key => spec[key] === true).map(key => `${key} is set`),
    ...[pod.windowsOptions?.hostProcess === true && 'hostProcess is set'],
    ...(pod.sysctls ?? []).filter(({ name }) => !SYSCTLS.includes(name)).map(({ name }) => `the sysctl ${name} is not a safe one`),
    ...(spec.volumes ?? []).flatMap(({ name, ...source }) =>
      Object.keys(source).filter(kind => !VOLUMES.includes(kind)).map(kind => `the volume ${name} is a ${kind}`)),
    ...Object.keys(pod).length === 0 ? [] : profileViolations('the pod', pod),
    ...pod.runAsUser === 0 ? ['the pod runs as user 0'] : [],
    ...containersOf(spec).flatMap(container => containerViolations(container, pod).map(violation => `${container.name}: ${violation}`))
  ].filter(violation => violation !== false)
}

function containerViolations (container, pod) {
  const own = container.securityContext ?? {}
  const capabilities = own.capabilities ?? {}
  return [
    own.privileged === true && 'is privileged',
    own.windowsOptions?.hostProcess === true && 'hostProcess is set',
    own.allowPrivilegeEscalation !== false && 'allowPrivilegeEscalation is not false',
    !(capabilities.drop ?? []).includes('ALL') && 'does not drop ALL capabilities',
    ...(capabilities.add ?? []).filter(name => name !== 'NET_BIND_SERVICE').map(name => `adds the capability ${name}`),
    (own.runAsNonRoot ?? pod.runAsNonRoot) !== true && 'runAsNonRoot is not true',
    own.runAsUser === 0 && 'runs as user 0',
    !SECCOMP.includes((own.seccompProfile ?? pod.seccompProfile)?.type) && 'has no seccomp profile RuntimeDefault or Localhost',
    ![undefined, 'Default'].includes(own.procMount) && `procMount is ${own.procMount}`,
    ...(container.ports ?? []).filter(({ hostPort }) => (hostPort ?? 0) !== 0).map(({ hostPort }) => `takes the host's port ${hostPort}`),
    ...HANDLERS
      .map(handler => handler(container))
      .filter(handler => (handler?.httpGet?.host ?? handler?.tcpSocket?.host ?? '') !== '')
      .map(() => 'a probe or hook names a host'),
    ...profileViolations('', own)
  ].filter(violation => violation !== false)
}

function profileViolations (who, { seccompProfile, appArmorProfile, seLinuxOptions }) {
  return [
    seccompProfile?.type === 'Unconfined' && `${who} seccomp is Unconfined`.trim(),
    ![undefined, 'RuntimeDefault', 'Localhost'].includes(appArmorProfile?.type) && `${who} AppArmor is ${appArmorProfile.type}`.trim(),
    !SELINUX_TYPES.includes(seLinuxOptions?.type) && `${who} SELinux type is ${seLinuxOptions.type}`.trim(),
    Boolean(seLinuxOptions?.user ?? seLinuxOptions?.role) && `${who} SELinux user or role is set`.trim()
  ].filter(violation => violation !== false)
}
