// Loads and attaches a build of test/fixtures/wrong-layout, and compares what it reads from a task with what /proc says.
//
//     attach OBJECT [BTF]     BTF: relocate here, against this file (default: the running kernel's, if the object needs any)
//     attach PINNED           a folder of a bpf file system with what `corelo agent --pin` made of it: nothing is loaded here
//
// A thread of this program is the task: its pid differs from its tgid, and it gives itself a policy, a name, limits and
// so on that no other task has by chance. Prints `read.<name>=<value>` and `proc.<name>=<value>` lines, then a summary.
// Status 0: all agree; 3: some differ; 1: the object does not load, or records nothing; 2: wrong use.
// Linked statically, so that it runs in an initramfs.

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "wrong-layout.h"

static struct wrong_layout_values seen, proc;
static int target_fd, values_fd;

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "attach: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_text(const char *path, char *into, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length;

	check(file, path);
	length = fread(into, 1, size - 1, file);
	fclose(file);
	into[length] = 0;
	if (length && into[length - 1] == '\n')
		into[length - 1] = 0;
}

/** Field `number` of /proc/<pid>/stat as proc(5) counts them, from 3 on: the name (field 2) may hold anything. */
static unsigned long long stat_field(const char *stat, int number)
{
	const char *at = strrchr(stat, ')') + 2;

	for (int i = 3; i < number; i++)
		at = strchr(at, ' ') + 1;
	return strtoll(at, NULL, 10) < 0 ? (unsigned long long)strtoll(at, NULL, 10) : strtoull(at, NULL, 10);
}

/** Column `column` (from 0) of a line of /proc/<pid>/status. */
static unsigned long long status_number(const char *status, const char *key, int column, int base)
{
	char needle[32];
	char *at;
	unsigned long long value = 0;

	snprintf(needle, sizeof(needle), "\n%s:", key);
	at = strstr(status, needle);
	check(at, key);
	at += strlen(needle);
	for (int i = 0; i <= column; i++)
		value = strtoull(at, &at, base);
	return value;
}

static void become_unlike_others(void)
{
	struct sched_param none = { 0 };
	struct rlimit files = { 777, 1234 };

	check(!prctl(PR_SET_NAME, "corelo thread)"), "name");
	check(!setpriority(PRIO_PROCESS, 0, 7), "nice");
	check(!sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none), "policy");
	check(!setrlimit(RLIMIT_NOFILE, &files), "limit");
	check(personality(ADDR_NO_RANDOMIZE) != -1, "personality");
	check(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	umask(0153);
	setfsgid(4242);
}

static void read_proc(int tid)
{
	char path[64], stat[1024], status[8192], text[64];
	struct utsname name;
	struct rlimit files;
	int subreaper = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	read_text(path, stat, sizeof(stat));
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	read_text(path, status, sizeof(status));
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
	read_text(path, proc.comm, sizeof(proc.comm));
	snprintf(path, sizeof(path), "/proc/self/task/%d/personality", tid);
	read_text(path, text, sizeof(text));
	proc.personality = strtoull(text, NULL, 16);
	read_text("/proc/sys/kernel/osrelease", proc.release, sizeof(proc.release));
	check(!uname(&name) && !strcmp(name.release, proc.release), "uname");
	check(!getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
	check(!prctl(PR_GET_CHILD_SUBREAPER, &subreaper), "subreaper");

	proc.pid = proc.tid_nr = status_number(status, "Pid", 0, 10);
	proc.tgid = proc.leader = status_number(status, "Tgid", 0, 10);
	proc.ppid = status_number(status, "PPid", 0, 10);
	proc.pgid = stat_field(stat, 5);
	proc.sid = stat_field(stat, 6);
	proc.enum_pgid = 2; // PIDTYPE_PGID and PIDTYPE_SID of every kernel since 4.19
	proc.enum_sid = 3;
	proc.comm3 = (unsigned char)proc.comm[3];
	proc.flags = stat_field(stat, 9);
	proc.policy = stat_field(stat, 41);
	proc.no_new_privs = status_number(status, "NoNewPrivs", 0, 10);
	proc.nice = stat_field(stat, 19);
	proc.priority = stat_field(stat, 18);
	proc.reset_on_fork = proc.reset_on_fork_probed = !!(sched_getscheduler(tid) & SCHED_RESET_ON_FORK);
	proc.child_subreaper = subreaper;
	proc.threads = status_number(status, "Threads", 0, 10);
	proc.umask = status_number(status, "Umask", 0, 8);
	proc.fsgid = status_number(status, "Gid", 3, 10);
	proc.nofile_cur = files.rlim_cur;
	proc.nofile_max = files.rlim_max;
	proc.arg_start = stat_field(stat, 48);
	proc.arg_end = stat_field(stat, 49);
	proc.start_brk = stat_field(stat, 47);
	proc.running = 1;
	proc.no_such_field = 0;
}

/** Where /proc shows something computed from the kernel's value, compute the same. */
static void as_proc_shows(struct wrong_layout_values *v)
{
	v->nice -= 120;        // static_prio
	v->priority -= 100;    // prio
	v->no_new_privs &= 1;  // bit 0 of atomic_flags
}

static void *be_the_task(void *unused)
{
	struct wrong_layout_target wanted = { getpid(), gettid() }, none = { 0 };
	__u32 zero = 0;

	(void)unused;
	become_unlike_others();
	check(!bpf_map_update_elem(target_fd, &zero, &wanted, BPF_ANY), "target");
	syscall(SYS_getppid);
	check(!bpf_map_update_elem(target_fd, &zero, &none, BPF_ANY), "target");
	check(!bpf_map_lookup_elem(values_fd, &zero, &seen), "values");
	read_proc(wanted.tid);
	return NULL;
}

static int differing, agreeing;

static void report_number(const char *name, unsigned long long read, unsigned long long expected)
{
	printf("read.%s=%llu\nproc.%s=%llu\n", name, read, name, expected);
	if (read == expected) {
		agreeing++;
	} else {
		differing++;
		printf("DIFFERS %s\n", name);
	}
}

static void report_text(const char *name, const char *read, const char *expected)
{
	printf("read.%s=%s\nproc.%s=%s\n", name, read, name, expected);
	if (!strcmp(read, expected)) {
		agreeing++;
	} else {
		differing++;
		printf("DIFFERS %s\n", name);
	}
}

static void attach_object(const char *path, const char *btf)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf);
	struct bpf_object *object = bpf_object__open_file(path, &opts);
	struct bpf_program *prog;

	check(object, path);
	check(!bpf_object__load(object), "load");
	target_fd = bpf_object__find_map_fd_by_name(object, "target");
	values_fd = bpf_object__find_map_fd_by_name(object, "values");
	check(target_fd >= 0 && values_fd >= 0, "maps");
	bpf_object__for_each_program(prog, object)
		check(bpf_program__attach(prog), bpf_program__name(prog));
}

static int open_pinned(const char *folder, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = bpf_obj_get(path);
	check(fd >= 0, path);
	return fd;
}

static void attach_pinned(const char *folder)
{
	target_fd = open_pinned(folder, "maps/target");
	values_fd = open_pinned(folder, "maps/values");
	check(bpf_raw_tracepoint_open("sys_enter", open_pinned(folder, "wrong_layout")) >= 0, "attach");
}

int main(int argc, char **argv)
{
	struct stat file;
	pthread_t thread;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: attach OBJECT [BTF]\n       attach PINNED\n");
		return 2;
	}
	check(!stat(argv[1], &file), argv[1]);
	if (S_ISDIR(file.st_mode))
		attach_pinned(argv[1]);
	else
		attach_object(argv[1], argc == 3 ? argv[2] : NULL);

	check(!pthread_create(&thread, NULL, be_the_task, NULL), "thread");
	pthread_join(thread, NULL);

	if (!seen.records) {
		fprintf(stderr, "attach: the program recorded nothing\n");
		return 1;
	}
	as_proc_shows(&seen);
#define REPORT(name) report_number(#name, seen.name, proc.name);
	WRONG_LAYOUT_NUMBERS(REPORT)
	report_text("comm", seen.comm, proc.comm);
	report_text("release", seen.release, proc.release);
	printf("agree=%d differ=%d\n", agreeing, differing);
	return differing ? 3 : 0;
}
