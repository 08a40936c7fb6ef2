// What is found in maps of each kind, and guards behind lookups: verifiers know elements of arrays alone.
#include "guards.bpf.h"

#define DEFINE(name, kind) \
	struct { __uint(type, kind); __uint(max_entries, 4); __type(key, int); __type(value, long); } name SEC(".maps")
#define LOOK_UP(name) int key = 0; long *value = bpf_map_lookup_elem(&name, &key)

DEFINE(hash, BPF_MAP_TYPE_HASH);
DEFINE(per_cpu_hash, BPF_MAP_TYPE_PERCPU_HASH);
DEFINE(lru, BPF_MAP_TYPE_LRU_HASH);
DEFINE(per_cpu_lru, BPF_MAP_TYPE_LRU_PERCPU_HASH);
DEFINE(array, BPF_MAP_TYPE_ARRAY);
DEFINE(per_cpu_array, BPF_MAP_TYPE_PERCPU_ARRAY);
typedef struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __uint(key_size, 4); __uint(value_size, 8); } hash_t;
hash_t declared SEC(".maps");
struct prefix { unsigned int length; int key; };
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 4); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix); __type(value, long);
} trie SEC(".maps");
struct inner_array { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, long); } first SEC(".maps");
struct inner_hash { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, int); __type(value, long); } second SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, int); __array(values, struct inner_array);
} arrays SEC(".maps") = { .values = { &first } };
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 1); __type(key, int); __array(values, struct inner_hash);
} hashes SEC(".maps") = { .values = { &second } };

PROGRAM(hash_null) { LOOK_UP(hash); if (!value) return use(GONE()); return use(*value); }
PROGRAM(per_cpu_hash_null) { LOOK_UP(per_cpu_hash); if (!value) return use(GONE()); return use(*value); }
PROGRAM(lru_null) { LOOK_UP(lru); if (!value) return use(GONE()); return use(*value); }
PROGRAM(per_cpu_lru_null) { LOOK_UP(per_cpu_lru); if (!value) return use(GONE()); return use(*value); }
PROGRAM(declared_null) { LOOK_UP(declared); if (!value) return use(GONE()); return use(*value); }
PROGRAM(trie_null) { struct prefix key = { 32, 0 }; long *value = bpf_map_lookup_elem(&trie, &key); if (!value) return use(GONE()); return use(*value); }
PROGRAM(array_null) { LOOK_UP(array); if (!value) return use(GONE()); return use(*value); }
PROGRAM(array_beyond) { int key = 4; long *value = bpf_map_lookup_elem(&array, &key); if (!value) return use(GONE()); return use(*value); }
PROGRAM(array_anywhere) { int key = bpf_get_prandom_u32(); long *value = bpf_map_lookup_elem(&array, &key); if (!value) return use(GONE()); return use(*value); }
PROGRAM(per_cpu_array_null) { LOOK_UP(per_cpu_array); if (!value) return use(GONE()); return use(*value); }
PROGRAM(hash_value) { LOOK_UP(hash); if (value) return use(GONE()); return 0; }
PROGRAM(hash_twice) { LOOK_UP(hash); if (!value) return 0; bpf_get_prandom_u32(); if (!value) use(GONE()); return use(*value); }
PROGRAM(hash_guard) { LOOK_UP(hash); if (!value && HAS_GONE) return use(GONE()); return 0; }
PROGRAM(hash_then_insert) { LOOK_UP(hash); if (!value) { long zero = 0; bpf_map_update_elem(&hash, &key, &zero, 0); value = bpf_map_lookup_elem(&hash, &key); if (!value) return use(GONE()); } return use(*value); }
PROGRAM(hash_saved) { LOOK_UP(hash); long *volatile saved = value; if (!saved) return use(GONE()); return use(PRESENT()); }

PROGRAM(no_inner_map) { int key = 0; void *map = bpf_map_lookup_elem(&arrays, &key); if (!map) return use(GONE()); return 0; }
PROGRAM(no_inner_hash) { int key = 0; void *map = bpf_map_lookup_elem(&hashes, &key); if (!map) return use(GONE()); return 0; }
PROGRAM(inner_array_null) { int key = 0; void *map = bpf_map_lookup_elem(&arrays, &key); if (!map) return 0; long *value = bpf_map_lookup_elem(map, &key); if (!value) return use(GONE()); return use(*value); }
PROGRAM(inner_hash_null) { int key = 0; void *map = bpf_map_lookup_elem(&hashes, &key); if (!map) return 0; long *value = bpf_map_lookup_elem(map, &key); if (!value) return use(GONE()); return use(*value); }
PROGRAM(inner_twice) { int key = 0; void *map = bpf_map_lookup_elem(&hashes, &key); if (!map) return 0; bpf_get_prandom_u32(); asm volatile("" : "+r"(map)); if (!map) return use(GONE()); return 0; }

static __noinline long look_up(void *map) { int key = 0; long *value = bpf_map_lookup_elem(map, &key); if (!value) return use(GONE()); return *value; }
PROGRAM(hash_passed) { return use(look_up(&hash)); }
PROGRAM(lru_or_array_passed) { return use(look_up(&lru) + look_up(&array)); }
PROGRAM(either_hash) { void *map = bpf_get_prandom_u32() & 1 ? (void *)&hash : (void *)&lru; return use(look_up(map)); }
PROGRAM(hash_or_array) { void *map = bpf_get_prandom_u32() & 1 ? (void *)&hash : (void *)&array; return use(look_up(map)); }

PROGRAM(array_keeps_flag) { volatile long has = HAS_GONE; LOOK_UP(array); if (value && has) *value = GONE(); return 0; }
PROGRAM(hash_keeps_flag) { volatile long has = HAS_GONE; LOOK_UP(hash); if (value && has) *value = GONE(); return 0; }
PROGRAM(hash_keeps_true) { volatile long has = HAS_PID; LOOK_UP(hash); if (value && !has) *value = GONE(); return 0; }
PROGRAM(insert_keeps_flag) { volatile long has = HAS_GONE; int key = 0; long one = 1; bpf_map_update_elem(&hash, &key, &one, 0); if (has) use(GONE()); return 0; }
PROGRAM(remove_keeps_flag) { volatile long has = HAS_GONE; int key = 0; bpf_map_delete_elem(&hash, &key); if (has) use(GONE()); return 0; }
PROGRAM(key_is_flag) { int key = HAS_GONE; bpf_map_delete_elem(&hash, &key); if (*(volatile int *)&key) use(GONE()); return 0; }
PROGRAM(flag_below_key) { long fields[4] = { HAS_GONE, 0, 0, HAS_GONE }; bpf_map_delete_elem(&hash, &fields[1]); volatile long *read = fields; if (read[0] || read[3]) use(GONE()); return 0; }
