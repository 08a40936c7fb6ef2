// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//
// A program that is wrong on purpose: it reads task_struct.state, which Linux 5.14 renamed to __state, without asking
// whether the field is there. It loads on older kernels only; exec.bpf.c shows how to write it so that it loads on all.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct {
	volatile long state;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __s64);
} last_state SEC(".maps");

SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	__s64 state = BPF_CORE_READ(task, state);
	__u32 zero = 0;

	bpf_map_update_elem(&last_state, &zero, &state, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
