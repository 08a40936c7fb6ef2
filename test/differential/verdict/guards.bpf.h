// What all files of the guard corpus share: fields, types and enumerators that a kernel lacks or has, and ways to read them.
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

#define CORE __attribute__((preserve_access_index))

struct task_struct { int pid; int tgid; void *mm; } CORE;
struct task_struct___a { int corelo_gone; long corelo_gone_too; int pid; } CORE;
struct corelo_no_such_type { int member; } CORE;
struct list_head { struct list_head *next; } CORE;
enum bpf_map_type___a { BPF_MAP_TYPE_HASH___a = 1, BPF_MAP_TYPE_CORELO_GONE___a = 9999 };

#define TASK ((struct task_struct___a *)bpf_get_current_task())
#define GONE() ({ int value_ = 0; bpf_core_read(&value_, sizeof(value_), &TASK->corelo_gone); value_; })
#define GONE_TOO() ({ long value_ = 0; bpf_core_read(&value_, sizeof(value_), &TASK->corelo_gone_too); value_; })
#define PRESENT() ({ int value_ = 0; bpf_core_read(&value_, sizeof(value_), &TASK->pid); value_; })
#define HAS_GONE bpf_core_field_exists(((struct task_struct___a *)0)->corelo_gone)
#define HAS_PID bpf_core_field_exists(((struct task_struct___a *)0)->pid)
#define HAS_TYPE bpf_core_type_exists(struct corelo_no_such_type)
#define HAS_ENUM bpf_core_enum_value_exists(enum bpf_map_type___a, BPF_MAP_TYPE_CORELO_GONE___a)
#define PROGRAM(name) SEC("raw_tp/sched_switch") int name(void *ctx)
#define KERNEL(a, b, c) (((a) << 16) + ((b) << 8) + (c))

static __always_inline int use(long value) { bpf_printk("%ld", value); return 0; }
