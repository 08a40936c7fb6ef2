// Forms of guards around fields, types and enumerators that a kernel may lack, right and wrong ones. What the verifier says of
// each is compared with our verdict; no expectation is written here.
#include "guards.bpf.h"

const volatile int enabled = 0;
const volatile int enabled_too = 1;
const volatile unsigned char small_flag = 0;
const volatile struct { int a; long b; unsigned short c; } config = { 1, 2, 3 };
int writable = 0;
extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_CORELO_NO_SUCH_OPTION __kconfig __weak;
extern const int corelo_no_such_symbol __ksym __weak;

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, long); } array SEC(".maps");

PROGRAM(none) { return use(GONE()); }
PROGRAM(guard_if) { if (HAS_GONE) return use(GONE()); return 0; }
PROGRAM(guard_if_else) { if (HAS_GONE) use(GONE()); else use(PRESENT()); return 0; }
PROGRAM(guard_inverted) { if (!HAS_GONE) use(PRESENT()); else use(GONE()); return 0; }
PROGRAM(guard_wrong) { if (!HAS_GONE) use(GONE()); return 0; }
PROGRAM(guard_other_field) { if (HAS_PID) use(GONE()); return 0; }
PROGRAM(guard_early_return) { if (!HAS_GONE) return 0; return use(GONE()); }
PROGRAM(guard_and) { if (HAS_PID && HAS_GONE) use(GONE()); return 0; }
PROGRAM(guard_or) { if (HAS_PID || HAS_GONE) use(GONE()); return 0; }
PROGRAM(guard_or_absent) { if (HAS_TYPE || HAS_GONE) use(GONE()); return 0; }
PROGRAM(guard_and_random) { if (bpf_get_prandom_u32() & 1 && HAS_GONE) use(GONE()); return 0; }
PROGRAM(guard_or_random) { if ((bpf_get_prandom_u32() & 1) || HAS_GONE) use(GONE()); return 0; }
PROGRAM(guard_ternary) { return use(HAS_GONE ? GONE() : PRESENT()); }
PROGRAM(guard_ternary_wrong) { return use(HAS_GONE ? PRESENT() : GONE()); }
PROGRAM(guard_nested) { if (HAS_PID) { if (HAS_TYPE) use(GONE()); if (HAS_GONE) use(GONE_TOO()); } return 0; }
PROGRAM(guard_type) { if (HAS_TYPE) use(GONE()); return 0; }
PROGRAM(guard_type_size) { if (bpf_core_type_size(struct corelo_no_such_type)) use(GONE()); return 0; }
PROGRAM(guard_type_present) { if (bpf_core_type_exists(struct task_struct)) use(GONE()); return 0; }
PROGRAM(guard_type_size_present) { if (bpf_core_type_size(struct list_head) > 64) use(GONE()); return 0; }
PROGRAM(guard_type_size_equal) { if (bpf_core_type_size(struct list_head) == 16) use(GONE()); return 0; }
PROGRAM(guard_enum) { if (HAS_ENUM) use(GONE()); return 0; }
PROGRAM(guard_enum_value) { if (bpf_core_enum_value_exists(enum bpf_map_type___a, BPF_MAP_TYPE_HASH___a)) use(GONE()); return 0; }
PROGRAM(guard_enum_number) { if (bpf_core_enum_value(enum bpf_map_type___a, BPF_MAP_TYPE_HASH___a) == 1) use(PRESENT()); else use(GONE()); return 0; }
PROGRAM(poisoned_enum) { return use(bpf_core_enum_value(enum bpf_map_type___a, BPF_MAP_TYPE_CORELO_GONE___a)); }
PROGRAM(guarded_poisoned_enum) { if (HAS_ENUM) use(bpf_core_enum_value(enum bpf_map_type___a, BPF_MAP_TYPE_CORELO_GONE___a)); return 0; }
PROGRAM(guard_offset) { if (__builtin_preserve_field_info(((struct list_head *)0)->next, BPF_FIELD_BYTE_OFFSET) > 0) use(GONE()); return 0; }
PROGRAM(guard_size) { if (bpf_core_field_size(((struct task_struct *)0)->pid) == 8) use(GONE()); return 0; }
PROGRAM(guard_size_wrong) { if (bpf_core_field_size(((struct task_struct *)0)->pid) == 4) use(GONE()); return 0; }

PROGRAM(guard_variable) { int has = HAS_GONE; bpf_get_prandom_u32(); if (has) use(GONE()); return 0; }
PROGRAM(guard_volatile) { volatile int has = HAS_GONE; if (has) use(GONE()); return 0; }
PROGRAM(guard_volatile_char) { volatile char has = HAS_GONE; if (has) use(GONE()); return 0; }
PROGRAM(guard_volatile_short) { volatile short has = HAS_GONE; if (has) use(GONE()); return 0; }
PROGRAM(guard_volatile_long) { volatile long has = HAS_GONE; if (has) use(GONE()); return 0; }
PROGRAM(guard_volatile_five) { volatile int has = HAS_PID ? 5 : 3; if (has == 3) use(GONE()); return 0; }
PROGRAM(guard_two_on_stack) { volatile char a = HAS_GONE, b = HAS_PID; if (a && b) use(GONE()); return 0; }
PROGRAM(guard_later) { int has = HAS_GONE; long sum = 0; for (int i = 0; i < 4; i++) sum += bpf_get_prandom_u32(); if (has) sum += GONE(); return use(sum); }
PROGRAM(guard_sum) { int has = HAS_GONE + HAS_TYPE + HAS_ENUM; if (has > 0) use(GONE()); return 0; }
PROGRAM(guard_sum_wrong) { int has = HAS_GONE + HAS_PID; if (has > 0) use(GONE()); return 0; }
PROGRAM(guard_bits) { unsigned int bits = HAS_GONE | HAS_PID << 1 | HAS_TYPE << 2; if (bits & 1) use(GONE()); if (bits & 4) use(GONE()); return 0; }
PROGRAM(guard_bits_wrong) { unsigned int bits = HAS_GONE | HAS_PID << 1 | HAS_TYPE << 2; if (bits & 2) use(GONE()); return 0; }
PROGRAM(guard_mask_random) { unsigned int bits = (bpf_get_prandom_u32() & ~1u) | HAS_GONE; if (bits & 1) use(GONE()); return 0; }
PROGRAM(guard_multiply) { long x = bpf_get_prandom_u32() * (long)HAS_GONE; if (x) use(GONE()); return 0; }
PROGRAM(guard_select) { long x = bpf_get_prandom_u32(); long y = HAS_GONE ? x : 0; if (y) use(GONE()); return 0; }

PROGRAM(guard_switch) {
	switch (HAS_GONE + 2 * HAS_PID) { case 0: return use(GONE()); case 1: return use(GONE_TOO()); case 2: return use(PRESENT()); default: return use(GONE()); }
}
PROGRAM(guard_switch_wrong) {
	switch (HAS_GONE + 2 * HAS_PID) { case 2: return use(GONE()); default: return 0; }
}
PROGRAM(switch_random) {
	switch (bpf_get_prandom_u32()) { case 0: return use(PRESENT()); case 1: return use(GONE()); case 7: return use(3); default: return 0; }
}
PROGRAM(switch_masked) {
	switch (bpf_get_prandom_u32() & 3) { case 0: return use(PRESENT()); case 1: return use(2); case 2: return use(3); case 3: return use(4); default: return use(GONE()); }
}

PROGRAM(loop_guarded) { for (int i = 0; i < 8; i++) { if (HAS_GONE) use(GONE()); bpf_get_prandom_u32(); } return 0; }
PROGRAM(loop_last) { for (volatile int i = 0; i < 8; i++) if (i == 7) use(GONE()); return 0; }
PROGRAM(loop_never) { for (volatile int i = 0; i < 8; i++) if (i == 9) use(GONE()); return 0; }
PROGRAM(loop_random) { unsigned int n = bpf_get_prandom_u32() & 15; for (unsigned int i = 0; i < n; i++) if (i == 12) use(GONE()); return 0; }
PROGRAM(loop_random_never) { unsigned int n = bpf_get_prandom_u32() & 15; for (unsigned int i = 0; i < n; i++) if (i == 20) use(GONE()); return 0; }
PROGRAM(after_loop) { int found = 0; for (int i = 0; i < 4; i++) if (bpf_get_prandom_u32() == 3) found = 1; if (found) use(GONE()); return 0; }

PROGRAM(random_path) { if (bpf_get_prandom_u32() == 42) use(GONE()); return 0; }
PROGRAM(random_range) { unsigned int x = bpf_get_prandom_u32(); if (x < 10) { if (x > 20) use(GONE()); } return 0; }
PROGRAM(random_range_open) { unsigned int x = bpf_get_prandom_u32(); if (x < 30) { if (x > 20) use(GONE()); } return 0; }
PROGRAM(random_equal) { unsigned int x = bpf_get_prandom_u32(); if (x != 3) return 0; if (x == 4) use(GONE()); return 0; }
PROGRAM(random_copy) { volatile unsigned int y; unsigned int x = bpf_get_prandom_u32(); y = x; if (x != 3) return 0; if (y == 4) use(GONE()); return 0; }
PROGRAM(random_byte) { unsigned char x = bpf_get_prandom_u32(); if (x == 255) use(GONE()); return 0; }
PROGRAM(random_low_bit) { unsigned int x = bpf_get_prandom_u32() & 0xfe; if (x == 7) use(GONE()); return 0; }
PROGRAM(random_shifted) { unsigned int x = bpf_get_prandom_u32() >> 28; if (x > 15) use(GONE()); return 0; }
PROGRAM(random_signed) { int x = bpf_get_prandom_u32(); if (x < 0) return 0; if (x == -1) use(GONE()); return 0; }
PROGRAM(tgid) { if ((bpf_get_current_pid_tgid() >> 32) == 1) use(GONE()); return 0; }

PROGRAM(rodata_off) { if (enabled) use(GONE()); return 0; }
PROGRAM(rodata_on) { if (enabled_too) use(GONE()); return 0; }
PROGRAM(rodata_char) { if (small_flag) use(GONE()); return 0; }
PROGRAM(rodata_struct) { if (config.a == 2 || config.b == 3 || config.c == 4) use(GONE()); return 0; }
PROGRAM(rodata_struct_on) { if (config.a == 1 && config.b == 2 && config.c == 3) use(GONE()); return 0; }
PROGRAM(rodata_and_exists) { if (enabled_too && HAS_GONE) use(GONE()); return 0; }
PROGRAM(rodata_or_exists) { if (enabled || HAS_GONE) use(GONE()); return 0; }
PROGRAM(data_writable) { if (writable) use(GONE()); return 0; }
PROGRAM(kernel_old) { if (LINUX_KERNEL_VERSION < KERNEL(4, 0, 0)) use(GONE()); return 0; }
PROGRAM(kernel_new) { if (LINUX_KERNEL_VERSION >= KERNEL(4, 0, 0)) use(GONE()); return 0; }
PROGRAM(kernel_between) { if (LINUX_KERNEL_VERSION >= KERNEL(9, 0, 0) && HAS_PID) use(GONE()); return 0; }
PROGRAM(ksym_absent) { if (&corelo_no_such_symbol) use(GONE()); return 0; }
PROGRAM(ksym_absent_wrong) { if (!&corelo_no_such_symbol) use(GONE()); return 0; }

PROGRAM(map_null) { int key = 0; long *value = bpf_map_lookup_elem(&array, &key); if (!value) return use(PRESENT()); return use(*value); }
PROGRAM(map_null_poison) { int key = 0; long *value = bpf_map_lookup_elem(&array, &key); if (!value) return use(GONE()); return use(*value); }
PROGRAM(map_value_poison) { int key = 0; long *value = bpf_map_lookup_elem(&array, &key); if (value && *value == 7) return use(GONE()); return 0; }
PROGRAM(map_twice) { int key = 0; long *value = bpf_map_lookup_elem(&array, &key); if (!value) return 0; bpf_get_prandom_u32(); if (!value) use(GONE()); return use(*value); }
PROGRAM(map_guard) { int key = 0; long *value = bpf_map_lookup_elem(&array, &key); if (value && HAS_GONE) *value = GONE(); return 0; }
PROGRAM(map_keeps_flag) { volatile int has = HAS_GONE; int key = 0; long *value = bpf_map_lookup_elem(&array, &key); if (value && has) *value = GONE(); return 0; }

static __noinline int static_reads(int really) { if (really) return GONE(); return PRESENT(); }
static __noinline int static_says(void) { return HAS_GONE; }
static __noinline int static_unguarded(void) { return use(GONE()); }
static __noinline int static_deep(int a, int b) { if (a > b) return static_unguarded(); return b; }
__noinline int global_reads(int really) { if (really) return GONE(); return PRESENT(); }
__noinline int global_guarded(int really) { if (really && HAS_GONE) return GONE(); return PRESENT(); }
__noinline int global_says(int x) { return HAS_GONE + x; }
__noinline int global_unguarded(int x) { return GONE() + x; }
__hidden __noinline int hidden_reads(int really) { if (really) return GONE(); return PRESENT(); }
PROGRAM(static_no) { return static_reads(HAS_GONE); }
PROGRAM(static_yes) { return static_reads(HAS_PID); }
PROGRAM(static_random) { return static_reads(bpf_get_prandom_u32()); }
PROGRAM(static_guard) { if (static_says()) return use(GONE()); return 0; }
PROGRAM(static_never) { if (HAS_GONE) return static_unguarded(); return 0; }
PROGRAM(static_always) { return static_unguarded(); }
PROGRAM(static_deep_no) { return static_deep(HAS_GONE, 1); }
PROGRAM(static_deep_yes) { return static_deep(HAS_PID + 1, 1); }
PROGRAM(global_no) { return global_reads(HAS_GONE); }
PROGRAM(global_guarded_inside) { return global_guarded(bpf_get_prandom_u32()); }
PROGRAM(global_answer) { if (global_says(0)) return use(GONE()); return 0; }
PROGRAM(global_never) { if (HAS_GONE) return global_unguarded(1); return 0; }
PROGRAM(global_always) { return global_unguarded(1); }
PROGRAM(hidden_no) { return hidden_reads(HAS_GONE); }
PROGRAM(hidden_yes) { return hidden_reads(HAS_PID); }

static __noinline int fills(int *flag) { *flag = HAS_GONE; return 0; }
static __noinline int fills_random(int *flag) { *flag = bpf_get_prandom_u32(); return 0; }
PROGRAM(through_pointer) { int flag = 1; fills(&flag); if (flag) use(GONE()); return 0; }
PROGRAM(through_pointer_random) { int flag = 0; fills_random(&flag); if (flag) use(GONE()); return 0; }

static int callback_guarded(__u32 i, void *ctx) { if (HAS_GONE) use(GONE()); return 0; }
static int callback_unguarded(__u32 i, void *ctx) { use(GONE()); return 0; }
static int callback_flag(__u32 i, int *flag) { if (*flag) use(GONE()); return 0; }
static int callback_sets(__u32 i, int *flag) { *flag = 1; return 0; }
static int each(void *map, int *key, long *value, void *ctx) { if (HAS_GONE) *value = GONE(); return 0; }
static int each_unguarded(void *map, int *key, long *value, void *ctx) { if (*value == 3) *value = GONE(); return 0; }
PROGRAM(callback_no) { bpf_loop(5, callback_guarded, 0, 0); return 0; }
PROGRAM(callback_yes) { bpf_loop(5, callback_unguarded, 0, 0); return 0; }
PROGRAM(callback_never) { if (HAS_GONE) bpf_loop(5, callback_unguarded, 0, 0); return 0; }
PROGRAM(callback_context) { int flag = HAS_GONE; bpf_loop(5, callback_flag, &flag, 0); return 0; }
PROGRAM(callback_context_on) { int flag = HAS_PID; bpf_loop(5, callback_flag, &flag, 0); return 0; }
PROGRAM(callback_sets_flag) { int flag = 0; bpf_loop(5, callback_sets, &flag, 0); if (flag) use(GONE()); return 0; }
PROGRAM(for_each_no) { bpf_for_each_map_elem(&array, each, 0, 0); return 0; }
PROGRAM(for_each_yes) { bpf_for_each_map_elem(&array, each_unguarded, 0, 0); return 0; }

SEC("?raw_tp/sched_switch") int optional_none(void *ctx) { return use(GONE()); }
SEC("kprobe/do_nanosleep") int kprobe_guard(void *ctx) { if (HAS_GONE) use(GONE()); return 0; }
SEC("tp_btf/sched_switch") int btf_guard(__u64 *ctx) {
	struct task_struct___a *prev = (void *)ctx[1];
	if (HAS_GONE) use(prev->corelo_gone);
	return 0;
}
SEC("tp_btf/sched_switch") int btf_direct(__u64 *ctx) {
	struct task_struct___a *prev = (void *)ctx[1];
	return use(prev->corelo_gone);
}
SEC("tp_btf/sched_switch") int btf_null(__u64 *ctx) {
	struct task_struct___a *prev = (void *)ctx[1];
	if (!prev) return 0;
	return use(prev->corelo_gone);
}
SEC("xdp") int packet(struct xdp_md *ctx) {
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (data + 14 > end) return 2;
	if (HAS_GONE) use(GONE());
	return data[0] == 3 ? 1 : 2;
}
SEC("xdp") int packet_poison(struct xdp_md *ctx) {
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (data + 14 > end) return 2;
	if (data[3] == 5) use(GONE());
	return 2;
}
