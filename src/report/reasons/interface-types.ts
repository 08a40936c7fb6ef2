import { describeType } from '../../core/describe.js'
import type { Spec } from '../../core/spec.js'
import type { Explanation } from './reason.js'
import { declaredMembers } from './own-types.js'

/**
 * What programs get as their context, or from helpers, as linux/bpf.h declares it. Kernels only add members behind the others, and their
 * verifiers know each by its offset. BTF has such a type where the kernel's code has a variable of it, which older kernels need not have:
 * the BTF of builds of Linux 4.19 has no struct xdp_md, and they take XDP programs.
 *
 * @see https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/bpf.h
 */
const INTERFACE: ReadonlySet<string> = new Set([
  '__sk_buff', 'xdp_md', 'sk_msg_md', 'sk_reuseport_md', 'bpf_sock_ops', 'bpf_sock_addr', 'bpf_sock', 'bpf_tcp_sock', 'bpf_sk_lookup',
  'bpf_sysctl', 'bpf_sockopt', 'bpf_cgroup_dev_ctx', 'bpf_perf_event_data', 'bpf_raw_tracepoint_args', 'bpf_flow_keys',
  'bpf_fib_lookup', 'bpf_sock_tuple', 'bpf_tunnel_key', 'bpf_xfrm_state'
].map(name => `struct ${name}`))

/**
 * A type whose layout needs no relocation, and of which BTF says nothing. A guard would keep the program from doing anything. Undefined
 * where the type is no such one.
 *
 * @param type as C names it, without a flavour
 */
export function explainInterface ({ btf, rootId }: Spec, type: string): Omit<Explanation, 'reason'> | undefined {
  if (!INTERFACE.has(type)) return undefined
  const members = declaredMembers(btf, rootId, '/* its members, as linux/bpf.h has them */')
  return {
    detail: `This kernel's BTF has no ${type}, which does not tell that the kernel has none: its layout is part of the interface between ` +
      'kernels and programs (linux/bpf.h), and needs no relocation.',
    suggestions: [{
      text: 'Take preserve_access_index off it. Beside vmlinux.h, which adds that, declare it by another name where no #pragma clang ' +
        'attribute push is in effect, and cast to that:',
      code: [`${describeType(btf, rootId)} {`, ...members, '};'].join('\n')
    }]
  }
}
