// What libbpf itself makes of an object: the judge our engine is compared with.
//
//     oracle relocate [--autoload-default] [--log] OBJECT BTF    relocate against BTF ("-": none), print every program
//     oracle patched  [--autoload-default] [--log] OBJECT        the same as: relocate OBJECT -
//     oracle batch    [--autoload-default] [--log]               relocate each "OBJECT<tab>BTF" line of standard input
//     oracle bench    [--autoload-default] OBJECT BTF RUNS       times of the same work, ns
//     oracle parse    BTF RUNS                                   times of btf__parse, ns: {"freed":[...],"kept":[...]}
//
// Only libbpf's public API is used, so the file builds against Debian 12's libbpf 1.1 and against newer ones.
//
// No kernel is involved. libbpf asks the kernel for things through the C library's syscall(); this program defines syscall()
// itself and answers bpf(2) calls: every map, BTF and program "loads". So relocation is the only thing that can fail, a
// verifier never runs, no privileges are needed, maps of size 0 do not stop the load, and two runs print the same bytes.
//
// Maps are not pinned either, whatever the object says: another's pinned map is not its own.
//
// Two more things would tie a result to the running kernel, and are taken away before libbpf sees them:
//   - programs that attach to a kernel function or LSM hook by BTF (fentry, tp_btf, lsm, iter, struct_ops ...) get handlers
//     of ours, which make them plain programs. Relocation does not look at the program type;
//   - undefined symbols (ksyms, kfuncs, kconfig) are made weak in a copy of the object, so that one missing here is not fatal.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "oracle: %s: %s\n", what, strerror(errno));
	exit(2);
}

// --- The kernel that says yes ------------------------------------------------------------------------------------------

static struct bpf_object *current_object;
static __u64 loading_started_at; // first real program handed to the kernel: all relocation is done by then
static bool inside_load;

/** A file that can be mapped, for maps that libbpf maps into memory, and closed, for everything else. */
static long new_fake_fd(__u64 bytes)
{
	int fd = syscall(SYS_memfd_create, "oracle", MFD_CLOEXEC);

	if (fd >= 0 && bytes && ftruncate(fd, bytes) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/** Feature probes load programs of their own; ours are those whose instructions the object owns. */
static bool is_real_program(const union bpf_attr *attr)
{
	struct bpf_program *prog;

	if (!current_object)
		return false;
	bpf_object__for_each_program(prog, current_object)
		if ((__u64)(uintptr_t)bpf_program__insns(prog) == attr->insns)
			return true;
	return false;
}

static long fake_bpf(int cmd, const union bpf_attr *attr)
{
	__u64 bytes;

	switch (cmd) {
	case BPF_MAP_CREATE:
		bytes = (__u64)((attr->value_size + 7) & ~7U) * attr->max_entries;
		return new_fake_fd((bytes + 4095) & ~4095ULL);
	case BPF_PROG_LOAD:
		if (inside_load && !loading_started_at && is_real_program(attr))
			loading_started_at = now_ns();
		return new_fake_fd(0);
	case BPF_BTF_LOAD:
	case BPF_LINK_CREATE:
	case BPF_RAW_TRACEPOINT_OPEN:
		return new_fake_fd(0);
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
		return 0;
	default: // lookups of what is loaded: nothing is
		errno = ENOENT;
		return -1;
	}
}

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf)
		return fake_bpf((int)a[0], (const union bpf_attr *)a[1]);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// --- What libbpf says --------------------------------------------------------------------------------------------------

static struct {
	bool to_stderr;
	bool core_failed;   // "failed to perform CO-RE relocations"
	bool kernel_btf;    // it looked for the running kernel's BTF
	char error[1024];   // last message about a relocation
	char warning[1024]; // last warning of any kind
	__u64 found_at;     // BTF parsed, records about to be resolved
	__u64 last_relo_at; // last message of the relocation step
} heard;

static void keep(char *into, size_t size, const char *format, va_list args)
{
	va_list copy;
	size_t length;

	va_copy(copy, args);
	vsnprintf(into, size, format, copy);
	va_end(copy);
	length = strlen(into);
	while (length && into[length - 1] == '\n')
		into[--length] = 0;
	if (!strncmp(into, "libbpf: ", 8))
		memmove(into, into + 8, length - 7);
}

static int listen(enum libbpf_print_level level, const char *format, va_list args)
{
	if (heard.to_stderr) {
		va_list copy;

		va_copy(copy, args);
		vfprintf(stderr, format, copy);
		va_end(copy);
	}
	if (level == LIBBPF_DEBUG) {
		if (strstr(format, "loading kernel BTF") || strstr(format, "loaded kernel BTF"))
			heard.kernel_btf = true;
		return 0;
	}
	if (level != LIBBPF_WARN)
		return 0;
	if (strstr(format, "failed to perform CO-RE relocations"))
		heard.core_failed = true;
	else if (!strstr(format, "failed to load object"))
		keep(heard.warning, sizeof(heard.warning), format, args);
	if (heard.core_failed)
		return 0;
	// "failed to relocate" ends every failure; what came before it about the same record says why.
	if (strstr(format, "relo #")) {
		char message[sizeof(heard.error)];
		size_t record;

		keep(message, sizeof(message), format, args);
		record = strcspn(strstr(message, "relo #"), ":") + (strstr(message, "relo #") - message);
		if (!strstr(format, "failed to relocate") || strncmp(message, heard.error, record + 1))
			strcpy(heard.error, message);
	}
	return 0;
}

/** Timestamps only: no formatting, two string compares per message. */
static int listen_bench(enum libbpf_print_level level, const char *format, va_list args)
{
	static const char relo[] = "libbpf: prog '%s': relo #";

	(void)args;
	if (!strncmp(format, relo, sizeof(relo) - 1))
		heard.last_relo_at = now_ns();
	else if (!heard.found_at && level == LIBBPF_DEBUG && strstr(format, "CO-RE relocations"))
		heard.found_at = now_ns();
	else if (level == LIBBPF_WARN && strstr(format, "failed to perform CO-RE relocations"))
		heard.core_failed = true;
	return 0;
}

// --- Opening -----------------------------------------------------------------------------------------------------------

static void make_kernel_attached_programs_plain(void)
{
	static const char *const sections[] = {
		"fentry+", "fentry.s+", "fexit+", "fexit.s+", "fmod_ret+", "fmod_ret.s+", "fsession+", "fsession.s+", "freplace+",
		"tp_btf+", "lsm+", "lsm.s+", "lsm_cgroup+", "iter+", "iter.s+", "struct_ops+", "struct_ops.s+", "syscall",
	};
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts);

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (libbpf_register_prog_handler(sections[i], BPF_PROG_TYPE_SOCKET_FILTER, 0, &opts) < 0)
			die(sections[i]);
}

static void weaken_undefined_symbols(char *file, size_t size)
{
	Elf64_Ehdr *header = (void *)file;
	Elf64_Shdr *sections;

	if (size < sizeof(*header) || memcmp(file, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_shentsize != sizeof(*sections) ||
	    header->e_shoff > size || (size - header->e_shoff) / sizeof(*sections) < header->e_shnum)
		return; // libbpf will say what is wrong with it
	sections = (void *)(file + header->e_shoff);
	for (int i = 0; i < header->e_shnum; i++) {
		Elf64_Shdr *section = &sections[i];

		if (section->sh_type != SHT_SYMTAB || section->sh_offset > size || size - section->sh_offset < section->sh_size)
			continue;
		Elf64_Sym *symbols = (void *)(file + section->sh_offset);

		for (size_t j = 1; j < section->sh_size / sizeof(*symbols); j++)
			if (symbols[j].st_shndx == SHN_UNDEF && symbols[j].st_name)
				symbols[j].st_info = ELF64_ST_INFO(STB_WEAK, ELF64_ST_TYPE(symbols[j].st_info));
	}
}

static char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *bytes;
	size_t done = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	bytes = malloc(st.st_size + 1);
	while (done < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + done, st.st_size - done);

		if (n <= 0)
			die(path);
		done += n;
	}
	close(fd);
	*size = done;
	return bytes;
}

static struct bpf_object *open_object(const char *bytes, size_t size, const char *name, const char *btf, bool autoload_all)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	struct bpf_object *object;
	struct bpf_program *prog;
	struct bpf_map *map;

	if (strcmp(btf, "-"))
		opts.btf_custom_path = btf;
	object = bpf_object__open_mem(bytes, size, &opts);
	if (!object)
		return NULL;
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL);
	if (autoload_all)
		bpf_object__for_each_program(prog, object)
			bpf_program__set_autoload(prog, true);
	return object;
}

// --- Printing ----------------------------------------------------------------------------------------------------------

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/** Number of the map in the object, for the file descriptor libbpf put into an instruction; it differs between runs. */
static int map_index(struct bpf_object *object, int fd)
{
	struct bpf_map *map;
	int index = 0;

	bpf_object__for_each_map(map, object) {
		if (bpf_map__fd(map) == fd)
			return index;
		index++;
	}
	return fd;
}

static void print_program(struct bpf_object *object, struct bpf_program *prog)
{
	const struct bpf_insn *insns = bpf_program__insns(prog);
	size_t count = bpf_program__insn_cnt(prog);

	printf("{\"name\":");
	print_string(bpf_program__name(prog));
	printf(",\"section\":");
	print_string(bpf_program__section_name(prog));
	printf(",\"autoload\":%s,\"insns\":\"", bpf_program__autoload(prog) ? "true" : "false");
	for (size_t i = 0; i < count; i++) {
		struct bpf_insn insn = insns[i];
		unsigned char bytes[sizeof(insn)];

		if (insn.code == (BPF_LD | BPF_IMM | BPF_DW) &&
		    (insn.src_reg == BPF_PSEUDO_MAP_FD || insn.src_reg == BPF_PSEUDO_MAP_VALUE))
			insn.imm = map_index(object, insn.imm);
		memcpy(bytes, &insn, sizeof(insn));
		for (size_t j = 0; j < sizeof(insn); j++)
			printf("%02x", bytes[j]);
	}
	printf("\"}");
}

// --- Commands ----------------------------------------------------------------------------------------------------------

static int relocate(const char *path, const char *btf, bool autoload_all)
{
	struct bpf_object *object;
	struct bpf_program *prog;
	size_t size;
	char *bytes = read_file(path, &size);
	bool relocated, first = true;
	int error = 0;

	libbpf_set_print(listen);
	weaken_undefined_symbols(bytes, size);
	object = open_object(bytes, size, "object", btf, autoload_all);
	if (!object)
		error = errno;
	else {
		current_object = object;
		inside_load = true;
		error = -bpf_object__load(object);
		inside_load = false;
	}
	relocated = object && (!error || loading_started_at);
	printf("{\"libbpf\":");
	print_string(libbpf_version_string());
	printf(",\"relocated\":%s,\"skipped\":%s,\"stage\":\"%s\",\"errno\":%d,\"error\":", relocated ? "true" : "false",
	       !relocated && !heard.core_failed ? "true" : "false",
	       relocated ? "done" : heard.core_failed ? "relocate" : object ? "before" : "open", error);
	print_string(relocated ? "" : heard.core_failed && heard.error[0] ? heard.error : heard.warning);
	printf(",\"kernelBtf\":%s,\"programs\":[", heard.kernel_btf ? "true" : "false");
	if (object)
		bpf_object__for_each_program(prog, object) {
			printf(first ? "\n" : ",\n");
			print_program(object, prog);
			first = false;
		}
	printf("\n]}\n");
	current_object = NULL;
	bpf_object__close(object);
	free(bytes);
	return relocated ? 0 : heard.core_failed ? 1 : 3;
}

// Every answer follows a record separator (RFC 7464). Each line gets a process of its own: nothing is left from one to the next,
// and an input on which libbpf crashes costs one answer, {"crashed":SIGNAL}.
static int batch(bool autoload_all)
{
	char *line = NULL;
	size_t capacity = 0;

	while (getline(&line, &capacity, stdin) > 0) {
		char *btf = strchr(line, '\t');
		int status;
		pid_t child;

		if (!btf)
			return 2;
		*btf++ = 0;
		btf[strcspn(btf, "\n")] = 0;
		putchar('\x1e');
		fflush(stdout);
		child = fork();
		if (child < 0)
			die("fork");
		if (!child) {
			alarm(60); // libbpf follows a cycle of types for ever
			status = relocate(line, btf, autoload_all);
			fflush(stdout);
			_exit(status);
		}
		if (waitpid(child, &status, 0) != child)
			die("waitpid");
		if (WIFSIGNALED(status))
			printf("{\"crashed\":%d}\n", WTERMSIG(status));
		else if (WEXITSTATUS(status) == 2)
			return 2;
	}
	free(line);
	return 0;
}

// What is measured, per run, in ns of CLOCK_MONOTONIC:
//   openNs      reading the object from memory to an opened bpf_object (ELF, its BTF, programs, maps)
//   totalNs     from before the open until libbpf hands the first program to the kernel, or gives up: open, target BTF
//               parse, all relocations (CO-RE, maps, calls). No verifier and no system call to bpf(2) is in it.
//   relocateNs  from libbpf's "found N CO-RE relocations" (target BTF parsed) to its last message about a relocation:
//               candidate search, resolution and patching of all records. null when the object has no records.
//   parseNs     totalNs without openNs and relocateNs: nearly all of it parsing the target BTF
// The file cache is warm: one run before the first is thrown away.
static int bench(const char *path, const char *btf, long runs, bool autoload_all)
{
	size_t size;
	char *bytes = read_file(path, &size);

	libbpf_set_print(listen_bench);
	weaken_undefined_symbols(bytes, size);
	printf("[");
	for (long run = -1; run < runs; run++) {
		__u64 start, opened, end;
		bool ok;

		memset(&heard, 0, sizeof(heard));
		loading_started_at = 0;
		start = now_ns();
		current_object = open_object(bytes, size, "object", btf, autoload_all);
		opened = now_ns();
		if (!current_object)
			die("open");
		inside_load = true;
		ok = !bpf_object__load(current_object);
		inside_load = false;
		end = loading_started_at ? loading_started_at : now_ns();
		if (run >= 0) {
			__u64 relocating = heard.found_at && heard.last_relo_at ? heard.last_relo_at - heard.found_at : 0;

			printf("%s\n{\"ok\":%s,\"totalNs\":%llu,\"openNs\":%llu,\"parseNs\":%llu,\"relocateNs\":", run ? "," : "",
			       ok && !heard.core_failed ? "true" : "false", end - start, opened - start, end - opened - relocating);
			if (heard.last_relo_at)
				printf("%llu}", relocating);
			else
				printf("null}");
		}
		bpf_object__close(current_object);
		current_object = NULL;
	}
	printf("\n]\n");
	free(bytes);
	return 0;
}

// Two answers to what parsing costs. "freed" gives each BTF back before the next, so that the allocator hands out the same warm
// pages again; "kept" keeps all of them, as a process does that parses once, or a service that holds many kernels.
static int parse(const char *path, long runs)
{
	struct btf **all = calloc(runs, sizeof(*all));

	libbpf_set_print(NULL);
	for (int keep = 0; keep < 2; keep++) {
		printf("%s[", keep ? ",\"kept\":" : "{\"freed\":");
		for (long run = 0; run < runs; run++) {
			__u64 start = now_ns();
			__u64 end;

			all[run] = btf__parse(path, NULL);
			end = now_ns();
			if (!all[run])
				die(path);
			if (!keep)
				btf__free(all[run]);
			printf("%s%llu", run ? "," : "", end - start);
		}
		printf("]");
	}
	printf("}\n");
	return 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	const char *rest[3];
	bool autoload_all = true;
	struct rlimit files;
	int count = 0;

	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--autoload-default"))
			autoload_all = false;
		else if (!strcmp(argv[i], "--log"))
			heard.to_stderr = true;
		else if (count < 3)
			rest[count++] = argv[i];
	}
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	make_kernel_attached_programs_plain();
	if (!strcmp(command, "relocate") && count == 2)
		return relocate(rest[0], rest[1], autoload_all);
	if (!strcmp(command, "patched") && count == 1)
		return relocate(rest[0], "-", autoload_all);
	if (!strcmp(command, "batch") && count == 0)
		return batch(autoload_all);
	if (!strcmp(command, "bench") && count == 3)
		return bench(rest[0], rest[1], atol(rest[2]), autoload_all);
	if (!strcmp(command, "parse") && count == 2)
		return parse(rest[0], atol(rest[1]));
	fprintf(stderr, "usage: oracle relocate OBJECT BTF|- | patched OBJECT | batch | bench OBJECT BTF RUNS | parse BTF RUNS\n");
	return 2;
}
