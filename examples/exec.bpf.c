// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//
// Who started what: one entry per process that called exec, in a map keyed by its pid.
//
// The structures are declared here with the fields we use and nothing else; CO-RE finds them in the kernel at hand. Shows
// the usual kinds of access: plain fields, a chain of pointers, a field that was renamed, a bitfield, an enumerator whose
// value depends on the kernel's configuration.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct signal_struct {
	unsigned int is_child_subreaper : 1;
};

struct cgroup {
	int level;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
};

struct task_struct {
	unsigned int __state; /* since Linux 5.14 */
	int pid;
	int tgid;
	struct task_struct *real_parent;
	char comm[16];
	const struct cred *cred;
	struct signal_struct *signal;
	struct css_set *cgroups;
};

/* The same type as older kernels have it. What follows the three underscores is not part of the name. */
struct task_struct___before_5_14 {
	volatile long state;
};

struct linux_binprm {
	const char *filename;
};

#pragma clang attribute pop

enum cgroup_subsys_id {
	memory_cgrp_id = 42, /* whatever the kernel's configuration makes it */
};

struct exec {
	__u32 parent;
	__u32 uid;
	__s64 state;
	__s32 memory_cgroup_level; /* -1: no memory controller */
	__u8 parent_is_subreaper;
	char parent_comm[16];
	char filename[128];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct exec);
} execs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec);
} scratch SEC(".maps");

static __always_inline __s64 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
}

static __always_inline int memory_cgroup_level(struct task_struct *task)
{
	struct cgroup_subsys_state *css = 0;
	__u64 index;
	void *all;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return -1;
	index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	all = BPF_CORE_READ(task, cgroups);
	all = __builtin_preserve_access_index(&((struct css_set *)all)->subsys);
	bpf_probe_read_kernel(&css, sizeof(css), all + index * sizeof(css));
	return BPF_CORE_READ(css, cgroup, level);
}

/* Arguments of the tracepoint: the task, its old pid, and the program being started. */
SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct linux_binprm *bprm = (void *)ctx->args[2];
	struct task_struct *parent;
	struct signal_struct *signal;
	__u32 zero = 0, pid;
	struct exec *exec;

	exec = bpf_map_lookup_elem(&scratch, &zero);
	if (!exec)
		return 0;
	pid = BPF_CORE_READ(task, tgid);
	parent = BPF_CORE_READ(task, real_parent);
	exec->parent = BPF_CORE_READ(parent, tgid);
	exec->uid = BPF_CORE_READ(task, cred, uid.val);
	exec->state = task_state(task);
	exec->memory_cgroup_level = memory_cgroup_level(task);
	signal = BPF_CORE_READ(parent, signal);
	exec->parent_is_subreaper = BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper);
	BPF_CORE_READ_INTO(&exec->parent_comm, parent, comm);
	bpf_probe_read_kernel_str(exec->filename, sizeof(exec->filename), BPF_CORE_READ(bprm, filename));
	bpf_map_update_elem(&execs, &pid, exec, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
