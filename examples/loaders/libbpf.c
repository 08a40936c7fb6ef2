// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//
// Loads a relocated object with libbpf, from memory, as a program that got it over the network does, and prints what was loaded.
//
//     cc -o libbpf libbpf.c -lbpf && ./libbpf exec.relocated.bpf.o
//
// Nothing is special about a relocated object: its list of CO-RE relocations is empty, so libbpf does not look for the kernel's BTF.

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *bytes = NULL;
	size_t room = 0;

	*size = 0;
	if (!file)
		return NULL;
	do {
		room = room ? room * 2 : 64 * 1024;
		bytes = realloc(bytes, room);
		if (!bytes)
			break;
		*size += fread(bytes + *size, 1, room - *size, file);
	} while (*size == room);
	fclose(file);
	return bytes;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "relocated");
	struct bpf_program *program;
	struct bpf_object *object;
	size_t size;
	void *bytes;
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: %s OBJECT\n", argv[0]);
		return 2;
	}
	bytes = read_file(argv[1], &size);
	if (!bytes) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	object = bpf_object__open_mem(bytes, size, &options);
	if (!object) {
		fprintf(stderr, "%s cannot be opened: %s\n", argv[1], strerror(errno));
		return 1;
	}
	error = bpf_object__load(object);
	if (error) {
		fprintf(stderr, "%s cannot be loaded: %s\n", argv[1], strerror(-error));
		return 1;
	}
	/* From here on as ever: bpf_program__attach(), maps, links. */
	bpf_object__for_each_program(program, object)
		printf("loaded %s (%s)\n", bpf_program__name(program), bpf_program__section_name(program));
	bpf_object__close(object);
	free(bytes);
	return 0;
}
