// SPDX-License-Identifier: Apache-2.0
//
// A kernel to relocate the examples for, where no real one is at hand: the structures that they read, at made-up but
// plausible offsets, padding in place of everything else. It is compiled for its BTF alone. No running kernel has this layout.

typedef int pid_t;
typedef unsigned int uid_t;
typedef unsigned char u8;
typedef unsigned short u16;
typedef u16 __be16;

typedef struct {
	uid_t val;
} kuid_t;

struct cred {
	long usage;
	kuid_t uid;
	kuid_t euid;
};

struct signal_struct {
	char before[152];
	unsigned int is_child_subreaper : 1;
	unsigned int has_child_subreaper : 1;
};

enum cgroup_subsys_id {
	cpuset_cgrp_id = 0,
	cpu_cgrp_id = 1,
	cpuacct_cgrp_id = 2,
	io_cgrp_id = 3,
	memory_cgrp_id = 4,
	CGROUP_SUBSYS_COUNT = 5,
};

struct cgroup {
	char before[240];
	int level;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	void *ss;
};

struct css_set {
	struct cgroup_subsys_state *subsys[CGROUP_SUBSYS_COUNT];
};

struct task_struct {
	char thread_info[24];
	unsigned int __state; /* renamed in Linux 5.14: unguarded.bpf.c asks for the old name */
	unsigned int saved_state;
	char scheduling[1200];
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *parent;
	char times[424];
	const struct cred *cred;
	char comm[16];
	char files[80];
	struct signal_struct *signal;
	char rest[880];
	struct css_set *cgroups;
};

struct linux_binprm {
	char before[96];
	const char *filename;
	const char *interp;
};

struct sock_common {
	char addresses[12];
	__be16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
};

struct sock {
	struct sock_common __sk_common;
	char before[500];
	u16 sk_type;
	u16 sk_protocol;
};

/* Clang describes in full what has a definition, and only declares what is pointed to. */
struct cred cred;
struct signal_struct signal;
enum cgroup_subsys_id subsystem;
struct cgroup cgroup;
struct cgroup_subsys_state state;
struct css_set css_set;
struct task_struct task;
struct linux_binprm binprm;
struct sock sock;
