// A program for each ability of src/verdict/age.ts: the verifier gets to the poisoned call, or does not, by whether it has the
// ability. What our verdict says of each kernel is compared with what its verifier says; no expectation is written here.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, int); __type(value, long); } array SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); __uint(key_size, 4); __uint(value_size, 4); } programs SEC(".maps");
const volatile unsigned long long frozen = 5;

#define POISON "call 195896080;"
#define OUT "out_%=: r0 = 0; exit;"
#define RANDOM "call 7;"
#define PROGRAM(name, text) SEC("raw_tp/sched_switch") __attribute__((naked)) int name(void) { asm volatile(text :: [array]"i"(&array), [frozen]"i"(&frozen)); }

PROGRAM(decidesBranches, "r1 = 3; if r1 < 5 goto out_%=;" POISON OUT)
PROGRAM(decidesBitTests, "r1 = 6; if r1 & 4 goto out_%=;" POISON OUT)
PROGRAM(decidesPointers, "r1 = %[frozen] ll; if r1 != 0 goto out_%=;" POISON OUT)
PROGRAM(decidesMaps, "r1 = %[array] ll; if r1 != 0 goto out_%=;" POISON OUT)
PROGRAM(followsRanges, RANDOM "if w0 > 5 goto out_%=; if w0 < 6 goto out_%=;" POISON OUT)

PROGRAM(comparesRanges, RANDOM "r6 = r0; r6 &= 7;" RANDOM "r0 &= 7; r0 += 16; if r6 < r0 goto out_%=;" POISON OUT)
PROGRAM(comparesRanges_edge, RANDOM "r0 &= 7; if r0 == 0 goto out_%=; if r0 >= 1 goto out_%=;" POISON OUT)
PROGRAM(comparesRanges_both, RANDOM "r6 = r0; r6 &= 7; r6 += 3;" RANDOM "if r0 < r6 goto out_%=; if r0 > 2 goto out_%=;" POISON OUT)
PROGRAM(comparesRanges_halves, RANDOM "r0 <<= 32; r0 s>>= 32; if w0 s> 5 goto out_%=; if r0 s< 6 goto out_%=;" POISON OUT)
PROGRAM(comparesRanges_equal, RANDOM "if r0 > 5 goto out_%=; if r0 != 9 goto out_%=;" POISON OUT)

PROGRAM(linksCopies, RANDOM "r6 = r0; if r0 != 3 goto out_%=; if r6 == 3 goto out_%=;" POISON OUT)
PROGRAM(linksSpills, RANDOM "*(u64 *)(r10 - 8) = r0; if r0 != 3 goto out_%=; r6 = *(u64 *)(r10 - 8); if r6 == 3 goto out_%=;" POISON OUT)
PROGRAM(linksSpills_ranged, RANDOM "r0 &= 255; *(u64 *)(r10 - 8) = r0; if r0 != 3 goto out_%=; r6 = *(u64 *)(r10 - 8); if r6 == 3 goto out_%=;" POISON OUT)
PROGRAM(linksSpills_word, RANDOM "r0 &= 255; *(u32 *)(r10 - 8) = r0; if r0 != 3 goto out_%=; r6 = *(u32 *)(r10 - 8); if r6 == 3 goto out_%=;" POISON OUT)
PROGRAM(linksFills, RANDOM "r0 &= 255; *(u64 *)(r10 - 8) = r0; r6 = *(u64 *)(r10 - 8); r7 = *(u64 *)(r10 - 8); if r6 != 3 goto out_%=; if r7 == 3 goto out_%=;" POISON OUT)
PROGRAM(linksHalves, RANDOM "r6 = r0; r6 &= 255; w7 = w6; if r6 != 3 goto out_%=; if r7 == 3 goto out_%=;" POISON OUT)
PROGRAM(linksSums, RANDOM "r6 = r0; r6 += 4; if r0 != 3 goto out_%=; if r6 == 7 goto out_%=;" POISON OUT)

PROGRAM(spillsConstants, "r1 = 7; *(u64 *)(r10 - 8) = r1; r1 = *(u64 *)(r10 - 8); if r1 == 7 goto out_%=;" POISON OUT)
PROGRAM(spillsRanges, RANDOM "r0 &= 7; *(u64 *)(r10 - 8) = r0; r1 = *(u64 *)(r10 - 8); if r1 < 8 goto out_%=;" POISON OUT)
PROGRAM(spillsNarrow, "r1 = 7; *(u32 *)(r10 - 8) = r1; r1 = *(u32 *)(r10 - 8); if r1 == 7 goto out_%=;" POISON OUT)
PROGRAM(spillsNarrow_cut, "r1 = 0x107; *(u8 *)(r10 - 8) = r1; r1 = *(u8 *)(r10 - 8); if r1 == 7 goto out_%=;" POISON OUT)
PROGRAM(spillsNarrow_range, RANDOM "*(u16 *)(r10 - 8) = r0; r1 = *(u16 *)(r10 - 8); if r1 < 65536 goto out_%=;" POISON OUT)
PROGRAM(fillsNarrow, "r1 = 7; *(u64 *)(r10 - 8) = r1; r1 = *(u32 *)(r10 - 8); if r1 == 7 goto out_%=;" POISON OUT)
PROGRAM(fillsNarrow_zero, "r1 = 0; *(u64 *)(r10 - 8) = r1; r1 = *(u32 *)(r10 - 8); if r1 == 0 goto out_%=;" POISON OUT)
PROGRAM(fillsNarrow_zeroWord, "r1 = 0; *(u32 *)(r10 - 8) = r1; r1 = *(u8 *)(r10 - 8); if r1 == 0 goto out_%=;" POISON OUT)
PROGRAM(spillsImmediates, ".8byte 0x00000007fff80a7a; r1 = *(u64 *)(r10 - 8); if r1 == 7 goto out_%=;" POISON OUT)
PROGRAM(spillsImmediates_word, ".8byte 0x00000007fff80a62; r1 = *(u32 *)(r10 - 8); if r1 == 7 goto out_%=;" POISON OUT)
PROGRAM(spillsImmediates_zero, ".8byte 0x00000000fff80a7a; r1 = *(u64 *)(r10 - 8); if r1 == 0 goto out_%=;" POISON OUT)
PROGRAM(spillsImmediates_zeroWord, ".8byte 0x00000000fff80a62; r1 = *(u32 *)(r10 - 8); if r1 == 0 goto out_%=;" POISON OUT)
PROGRAM(spillsZeroes, "r1 = 0; *(u64 *)(r10 - 8) = r1;" RANDOM "*(u32 *)(r10 - 8) = r0; r1 = *(u32 *)(r10 - 4); if r1 == 0 goto out_%=;" POISON OUT)
PROGRAM(spillsZeroes_upper, "r1 = 0; *(u64 *)(r10 - 8) = r1;" RANDOM "*(u32 *)(r10 - 4) = r0; r1 = *(u32 *)(r10 - 8); if r1 == 0 goto out_%=;" POISON OUT)
PROGRAM(spillsZeroes_number, "r1 = 7; *(u64 *)(r10 - 8) = r1;" RANDOM "*(u32 *)(r10 - 4) = r0; r1 = *(u32 *)(r10 - 8); if r1 == 7 goto out_%=;" POISON OUT)

PROGRAM(comparesBits, RANDOM "r0 &= 6; r0 |= 1; if r0 == 2 goto +1; goto out_%=;" POISON OUT)
PROGRAM(crossesSigns, RANDOM "if r0 s< -5 goto out_%=; if r0 s> 9 goto out_%=; if r0 > 100 goto out_%=; if r0 s>= 0 goto out_%=;" POISON OUT)
PROGRAM(keepsWrapped, RANDOM "r0 &= 7; r0 += -9; r0 += 1; r0 += -1; if r0 > 100 goto out_%=;" POISON OUT)
PROGRAM(multipliesSigned, RANDOM "r0 &= 7; r0 += -8; r0 *= 3; if r0 s< 0 goto out_%=;" POISON OUT)
PROGRAM(forksSigns, RANDOM "r0 <<= 32; r0 s>>= 63; r0 &= 6; if r0 == 0 goto out_%=; if r0 == 6 goto out_%=;" POISON OUT)
PROGRAM(forksSigns_or, RANDOM "r0 <<= 32; r0 s>>= 63; r0 |= 6; if r0 == 6 goto out_%=; if r0 == -1 goto out_%=;" POISON OUT)

// Each was a disagreement once.
PROGRAM(negation_isNoConstant, "w6 = 100; w6 = -w6; r7 = 0; if r7 > r6 goto +1; goto out_%=;" POISON OUT)
PROGRAM(seven_copies, RANDOM "*(u64 *)(r10 - 8) = r0; *(u64 *)(r10 - 16) = r0; r1 = r0; r2 = r0; r3 = r0; r4 = r0; r5 = r0; r6 = r0; r7 = r0;"
	"if r0 != 3 goto out_%=; r8 = *(u64 *)(r10 - 16); if r8 == 3 goto out_%=;" POISON OUT)
PROGRAM(shared_bits, "r8 = -1; r0 = 257;" RANDOM "r8 = r0; r8 &= -100; if w8 s> 1 goto out_%=; r8 &= 7; if r8 < 8 goto out_%=;" POISON OUT)

PROGRAM(readsFrozenMaps, "r1 = %[frozen] ll; r1 = *(u64 *)(r1 + 0); if r1 == 5 goto out_%=;" POISON OUT)
PROGRAM(foldsXor, "r1 = 5; r1 ^= 1; if r1 == 4 goto out_%=;" POISON OUT)
PROGRAM(foldsNegation, "r1 = 5; r1 = -r1; if r1 == -5 goto out_%=;" POISON OUT)
PROGRAM(foldsNegation_word, "w1 = 5; w1 = -w1; if w1 == -5 goto out_%=;" POISON OUT)
PROGRAM(foldsByteSwap, "r1 = 5; r1 = be16 r1; if r1 == 1280 goto out_%=;" POISON OUT)
PROGRAM(foldsByteSwap_cut, "r1 = 0x10005; r1 = le16 r1; if r1 == 5 goto out_%=;" POISON OUT)
PROGRAM(foldsByteSwap_range, RANDOM "r0 = be16 r0; if r0 < 65536 goto out_%=;" POISON OUT)
PROGRAM(foldsDivision, "r1 = 15; r1 /= 3; if r1 == 5 goto out_%=;" POISON OUT)
PROGRAM(foldsDivision_modulo, "r1 = 15; r1 %%= 4; if r1 == 3 goto out_%=;" POISON OUT)
PROGRAM(foldsDivision_range, RANDOM "r0 &= 15; r0 /= 3; if r0 < 6 goto out_%=;" POISON OUT)
PROGRAM(forgetsUpperHalf, RANDOM "w0 /= 3; r0 >>= 32; if r0 == 0 goto out_%=;" POISON OUT)
PROGRAM(forgetsUpperHalf_negation, RANDOM "w0 = -w0; r0 >>= 32; if r0 == 0 goto out_%=;" POISON OUT)
PROGRAM(computesUnknowns, RANDOM "r6 = r0; r1 = 0; r1 *= r6; if r1 == 0 goto out_%=;" POISON OUT)
PROGRAM(computesUnknowns_range, RANDOM "r6 = r0; r6 &= 3;" RANDOM "r0 &= 3; r0 *= r6; if r0 < 10 goto out_%=;" POISON OUT)
PROGRAM(computesUnknowns_or, RANDOM "r6 = r0; r6 &= 3;" RANDOM "r0 &= 3; r0 |= r6; if r0 < 4 goto out_%=;" POISON OUT)

PROGRAM(knowsElements, "r1 = 3; *(u32 *)(r10 - 4) = r1; r2 = r10; r2 += -4; r1 = %[array] ll; call 1; if r0 != 0 goto out_%=;" POISON OUT)
PROGRAM(knowsElements_beyond, "r1 = 4; *(u32 *)(r10 - 4) = r1; r2 = r10; r2 += -4; r1 = %[array] ll; call 1; if r0 != 0 goto out_%=;" POISON OUT)
PROGRAM(forgetsKeys, "r6 = 7; *(u64 *)(r10 - 16) = r6; r1 = 3; *(u32 *)(r10 - 20) = r1; r2 = r10; r2 += -20; r1 = %[array] ll; call 1; r1 = *(u64 *)(r10 - 16); if r1 == 7 goto out_%=;" POISON OUT)
PROGRAM(forgetsKeys_same, "r6 = 7; *(u32 *)(r10 - 4) = r6; r1 = 3; *(u32 *)(r10 - 8) = r1; r2 = r10; r2 += -8; r1 = %[array] ll; call 1; r1 = *(u32 *)(r10 - 8); if r1 == 3 goto out_%=;" POISON OUT)

__attribute__((noinline)) int global_open(int x) { asm volatile("r0 = %0; if r0 == 1 goto +1; " POISON :: "r"(x) : "r0", "r1", "r2", "r3", "r4", "r5"); return 0; }
SEC("raw_tp/sched_switch") int verifiesGlobals(void *ctx) { return global_open(1); }
SEC("raw_tp/sched_switch") int verifiesGlobalsLazily(void *ctx) {
	unsigned long long none = 0;
	asm volatile("%0 = 0" : "=r"(none));
	return none != 0 ? global_open(1) : 0;
}

static int sets(__u32 i, int *flag) { *flag = 1; return 0; }
static int counts(__u32 i, int *n) { *n += 1; return 0; }
SEC("raw_tp/sched_switch") int repeatsCallbacks(void *ctx) { int n = 0; bpf_loop(100, counts, &n, 0); if (n == 2) asm volatile(POISON ::: "r0", "r1", "r2", "r3", "r4", "r5"); return 0; }
SEC("raw_tp/sched_switch") int repeatsCallbacks_never(void *ctx) { int flag = 0; bpf_loop(100, sets, &flag, 0); if (flag == 0) asm volatile(POISON ::: "r0", "r1", "r2", "r3", "r4", "r5"); return 0; }
SEC("raw_tp/sched_switch") int repeatsCallbacks_none(void *ctx) { int flag = 0; bpf_loop(0, sets, &flag, 0); if (flag == 1) asm volatile(POISON ::: "r0", "r1", "r2", "r3", "r4", "r5"); return 0; }

static __attribute__((noinline)) int calls_tail(void *ctx) { bpf_tail_call(ctx, &programs, 0); return 0; }
SEC("raw_tp/sched_switch") int returnsFromTailCalls(void *ctx) { if (calls_tail(ctx)) asm volatile(POISON ::: "r0", "r1", "r2", "r3", "r4", "r5"); return 0; }
