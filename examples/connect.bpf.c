// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//
// Counts connections that reached ESTABLISHED, by address family, protocol and remote port.
//
// sk_protocol was an 8 bit wide bitfield and became a field of its own (16 bits) in Linux 5.6. Read as a bitfield it works
// on both: width and position are relocated.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define TCP_ESTABLISHED 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common {
	unsigned short skc_family;
	unsigned short skc_num;
	__be16 skc_dport;
};

struct sock {
	struct sock_common __sk_common;
	unsigned short sk_protocol;
};

#pragma clang attribute pop

struct connection {
	__u16 family;
	__u16 protocol;
	__u16 remote_port; /* network byte order */
	__u16 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct connection);
	__type(value, __u64);
} connections SEC(".maps");

/* Arguments of the tracepoint: the socket, its old and its new state. */
SEC("raw_tp/inet_sock_set_state")
int on_state(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (void *)ctx->args[0];
	struct connection connection = {};
	__u64 one = 1, *count;

	if (ctx->args[2] != TCP_ESTABLISHED)
		return 0;
	connection.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	connection.protocol = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol);
	connection.remote_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	connection.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	count = bpf_map_lookup_elem(&connections, &connection);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&connections, &connection, &one, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
