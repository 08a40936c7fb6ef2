// What the running kernel's verifier says of each program of an object: the judge our verdicts are compared with.
//
//     verify < LIST        LIST has the path of an object a line
//
// Prints a line of JSON for each program: {"object","program","section","result","log","at","ended","ahead"}. `result` is "ok"
// (loaded), "poison" (refused for the instruction that relocation poisoned), "other" (refused for something else, and the log's
// end says what) or "none" (libbpf did not get as far as loading it). The last three are about "other": the instruction that the
// verifier looked at last, or -1 where it had not begun; how many ways through the program it had followed to their end; and
// whether a jump, a call or a return leads from that instruction to a poisoned one.
//
// libbpf prepares the programs and this program's own syscall() hands them to the kernel. A refusal is noted and answered with
// a file descriptor of something else, so that all programs of an object are tried in one go.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define MAX_PROGRAMS 4096
#define POISON 195896080
#define POISON_TEXT "195896080"
#define LOG_STATS 4 // errors, and no listing of instructions
#define LOG_ALL 2   // every instruction that is looked at, of every way through the program
#define LOG_SIZE (16 * 1024 * 1024 - 1) // the most that Linux 5.10 takes

static struct bpf_object *current;
static const struct bpf_program *programs[MAX_PROGRAMS];
static char *logs[MAX_PROGRAMS];
static char results[MAX_PROGRAMS]; // 0, 'o'k, 'p'oison, 'x': other, 'n'one
static int program_count;
static struct place { int at, ended; bool ahead; } places[MAX_PROGRAMS];
static char log_buffer[LOG_SIZE];
static char last_warning[1024];

static long raw_bpf(int cmd, void *attr, unsigned int size)
{
	long ret;

#ifdef __x86_64__
	register long r10 __asm__("r10") = 0;
	__asm__ volatile("syscall" : "=a"(ret) : "a"((long)SYS_bpf), "D"((long)cmd), "S"(attr), "d"((long)size), "r"(r10) : "rcx", "r11", "memory");
#else
#error "verify.c knows the system calls of x86-64 only"
#endif
	return ret;
}

// The first instruction of the function that instruction `i` belongs to.
static int start_of(const bool *starts, int i)
{
	while (i > 0 && !starts[i])
		i--;
	return i;
}

// Where a call or the address of a function leads; -1 where the instruction is neither.
static int callee_of(const struct bpf_insn *insn, int i)
{
	bool refers = (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
		      (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC);

	return refers ? i + 1 + insn->imm : -1;
}

// Whether a way as jumps, calls and returns are drawn leads from instruction `at` to a poisoned one.
static bool is_poison_ahead(const struct bpf_insn *insns, int count, int at)
{
	bool *seen = calloc(count + 1, 1), *starts = calloc(count + 1, 1), found = false;
	int *pending = calloc(count + 1, sizeof(int)), left = 0;

#define GO_TO(n) do { int to = (n); if (to >= 0 && to < count && !seen[to]) { seen[to] = true; pending[left++] = to; } } while (0)
	for (int i = 0; i < count; i++)
		if (callee_of(&insns[i], i) >= 0 && callee_of(&insns[i], i) < count)
			starts[callee_of(&insns[i], i)] = true;
	GO_TO(at);
	while (left > 0 && !found) {
		int i = pending[--left], op = BPF_OP(insns[i].code), class = BPF_CLASS(insns[i].code);
		bool is_jump = (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
		bool is_long = class == BPF_JMP32 && op == BPF_JA;

		found = insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == 0 && insns[i].imm == POISON;
		if (insns[i].code == (BPF_JMP | BPF_EXIT)) {
			for (int j = 0; j < count; j++)
				if (callee_of(&insns[j], j) == start_of(starts, i))
					GO_TO(j + 1);
			continue;
		}
		if (is_jump)
			GO_TO(i + 1 + (is_long ? insns[i].imm : insns[i].off));
		GO_TO(callee_of(&insns[i], i));
		if (!is_jump || op != BPF_JA)
			GO_TO(i + (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1));
	}
#undef GO_TO
	free(seen);
	free(starts);
	free(pending);
	return found;
}

// What the log of everything says of a refusal: lines such as `12: (85) call bpf_loop#181`, `from 3 to 9: safe`.
static struct place read_log(const char *log, const union bpf_attr *attr)
{
	struct place place = { .at = -1 };

	for (const char *line = log; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		int length = strcspn(line, "\n"), at, end = 0;

		if (sscanf(line, "%d: (%*2[0-9a-f])%n", &at, &end) == 1 && end > 0) {
			place.at = at;
			place.ended += !strncmp(line + end, " exit", 5);
		} else if (!strncmp(line, "returning from callee", 21)) {
			place.ended--;
		} else if (length > 6 && !strncmp(line + length - 6, ": safe", 6)) {
			place.ended++;
		}
	}
	place.ahead = place.at < 0 || is_poison_ahead((const struct bpf_insn *)(uintptr_t)attr->insns, attr->insn_cnt, place.at);
	return place;
}

static int which_program(const union bpf_attr *attr)
{
	for (int i = 0; i < program_count; i++)
		if ((__u64)(uintptr_t)bpf_program__insns(programs[i]) == attr->insns)
			return i;
	return -1;
}

static long load_patiently(union bpf_attr *attr, unsigned int size)
{
	long ret = -EAGAIN;

	for (int tries = 0; tries < 5 && ret == -EAGAIN; tries++)
		ret = raw_bpf(BPF_PROG_LOAD, attr, size);
	return ret;
}

static long load_program(union bpf_attr *given, unsigned int size)
{
	union bpf_attr attr;
	int which = current ? which_program(given) : -1;
	long ret = 0;

	if (which < 0) // a feature probe
		return raw_bpf(BPF_PROG_LOAD, given, size);
	memset(&attr, 0, sizeof(attr));
	memcpy(&attr, given, size < sizeof(attr) ? size : sizeof(attr));
	attr.log_buf = (__u64)(uintptr_t)log_buffer;
	attr.log_size = sizeof(log_buffer);
	attr.log_level = LOG_STATS;
	log_buffer[0] = 0;
	ret = load_patiently(&attr, size);
	free(logs[which]);
	if (ret >= 0) {
		results[which] = 'o';
		logs[which] = strdup("");
		return ret;
	}
	results[which] = strstr(log_buffer, POISON_TEXT) ? 'p' : ret == -EPERM && !log_buffer[0] ? 'n' : 'x';
	logs[which] = log_buffer[0] ? strdup(log_buffer) : strdup(strerror(-ret));
	if (results[which] == 'x') {
		attr.log_level = LOG_ALL;
		log_buffer[0] = 0;
		ret = load_patiently(&attr, size);
		if (ret >= 0)
			close(ret);
		places[which] = read_log(log_buffer, &attr);
	}
	return memfd_create("refused", MFD_CLOEXEC);
}

long syscall(long number, ...)
{
	long a[6], ret;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number != SYS_bpf) {
		register long r10 __asm__("r10") = a[3];
		register long r8 __asm__("r8") = a[4];
		register long r9 __asm__("r9") = a[5];
		__asm__ volatile("syscall" : "=a"(ret) : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	} else if (a[0] == BPF_PROG_LOAD) {
		ret = load_program((union bpf_attr *)a[1], a[2]);
	} else if (a[0] == BPF_PROG_BIND_MAP) {
		ret = 0;
	} else {
		ret = raw_bpf(a[0], (void *)a[1], a[2]);
	}
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return ret;
}

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN)
		vsnprintf(last_warning, sizeof(last_warning), format, args);
	return 0;
}

static void print_string(const char *text)
{
	size_t length = strlen(text);
	const char *from = length > 400 ? text + length - 400 : text;

	putchar('"');
	for (; *from; from++) {
		unsigned char c = *from;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c == '\n')
			printf("\\n");
		else if (c >= ' ' && c < 127)
			putchar(c);
	}
	putchar('"');
}

// Maps that the application would size. None is pinned: what is pinned on this machine is not the object's.
static void prepare_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		int type = bpf_map__type(map);

		bpf_map__set_pin_path(map, NULL);
		if (bpf_map__max_entries(map) == 0 && type != BPF_MAP_TYPE_PERF_EVENT_ARRAY && type != BPF_MAP_TYPE_SK_STORAGE &&
		    type != BPF_MAP_TYPE_TASK_STORAGE && type != BPF_MAP_TYPE_INODE_STORAGE && type != 32)
			bpf_map__set_max_entries(map, type == BPF_MAP_TYPE_RINGBUF ? 4096 : 1);
		if (type == BPF_MAP_TYPE_STACK_TRACE && bpf_map__value_size(map) == 0)
			bpf_map__set_value_size(map, 127 * 8);
	}
}

// A file descriptor of the object's first program, loaded by itself: the one whose functions its extensions replace.
static int load_first(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *prog, *first;
	int fd = -1;

	if (!object)
		return -1;
	first = bpf_object__next_program(object, NULL);
	bpf_object__for_each_program(prog, object)
		bpf_program__set_autoload(prog, prog == first);
	prepare_maps(object);
	if (!bpf_object__load(object))
		fd = dup(bpf_program__fd(first));
	bpf_object__close(object);
	return fd;
}

// Loads the object's programs, or only the one with the number `only`.
static bool load_object(const char *path, int only)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	int target = -1;
	int i = 0;

	if (!object)
		return false;
	program_count = 0;
	bpf_object__for_each_program(prog, object) {
		if (i < MAX_PROGRAMS)
			programs[i] = prog;
		bpf_program__set_autoload(prog, only < 0 || i == only);
		if (bpf_program__type(prog) == BPF_PROG_TYPE_UNSPEC)
			bpf_program__set_type(prog, BPF_PROG_TYPE_KPROBE);
		if (bpf_program__type(prog) == BPF_PROG_TYPE_EXT) {
			if (target < 0)
				target = load_first(path);
			if (target >= 0)
				bpf_program__set_attach_target(prog, target, NULL);
		}
		i++;
	}
	program_count = i < MAX_PROGRAMS ? i : MAX_PROGRAMS;
	prepare_maps(object);
	current = object;
	bpf_object__load(object);
	current = NULL;
	if (only < 0)
		for (i = 0; i < program_count; i++)
			programs[i] = NULL;
	bpf_object__close(object);
	if (target >= 0)
		close(target);
	return true;
}

static void print_results(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	int i = 0;

	if (!object)
		return;
	bpf_object__for_each_program(prog, object) {
		char result = results[i];

		printf("{\"object\":");
		print_string(path);
		printf(",\"program\":");
		print_string(bpf_program__name(prog));
		printf(",\"section\":");
		print_string(bpf_program__section_name(prog));
		printf(",\"result\":\"%s\",\"log\":", result == 'o' ? "ok" : result == 'p' ? "poison" : result == 'x' ? "other" : "none");
		print_string(result ? logs[i] : last_warning);
		if (result == 'x')
			printf(",\"at\":%d,\"ended\":%d,\"ahead\":%s", places[i].at, places[i].ended, places[i].ahead ? "true" : "false");
		printf("}\n");
		free(logs[i]);
		logs[i] = NULL;
		results[i] = 0;
		if (++i == MAX_PROGRAMS)
			break;
	}
	bpf_object__close(object);
}

int main(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	char path[4096];

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(keep_warning);
	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = 0;
		last_warning[0] = 0;
		if (!load_object(path, -1)) {
			printf("{\"object\":");
			print_string(path);
			printf(",\"program\":\"\",\"section\":\"\",\"result\":\"none\",\"log\":");
			print_string(last_warning);
			printf("}\n");
			continue;
		}
		for (int i = 0; i < program_count; i++)
			if (!results[i])
				load_object(path, i);
		print_results(path);
		fflush(stdout);
	}
	return 0;
}
