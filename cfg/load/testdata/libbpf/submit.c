/* Shows what libbpf submits to the kernel for an object: instructions, maps,
 * jump tables and lines. No kernel is asked: bpf(2) is replaced by a function
 * that says yes and takes notes. See README.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>
#include "libbpf.h"

enum { INSN_ARRAY = 34, MAX_MAPS = 4096 };

static struct map {
	ino_t inode; /* libbpf duplicates descriptors */
	char name[BPF_OBJ_NAME_LEN];
	unsigned int type, key, value, entries, flags, *targets;
} maps[MAX_MAPS];
static int map_count;
static struct bpf_object *object;

static struct map *map_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		for (int i = 0; i < map_count; i++)
			if (maps[i].inode == st.st_ino)
				return &maps[i];
	return NULL;
}

static long create_map(union bpf_attr *attr)
{
	struct map *m = &maps[map_count];
	struct stat st;
	int fd;

	if (map_count == MAX_MAPS || !attr->max_entries && attr->map_type == INSN_ARRAY) {
		errno = EINVAL;
		return -1;
	}
	fd = memfd_create("map", 0);
	ftruncate(fd, 1 << 24); /* data sections are mapped */
	fstat(fd, &st);
	*m = (struct map){ st.st_ino, "", attr->map_type, attr->key_size, attr->value_size,
			   attr->max_entries, attr->map_flags, NULL };
	memcpy(m->name, attr->map_name, sizeof(m->name) - 1);
	if (m->type == INSN_ARRAY)
		m->targets = calloc(m->entries, sizeof(*m->targets));
	map_count++;
	return fd;
}

/* is_own tells the object's programs from those that probe the kernel. */
static int is_own(const char *name)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, object)
		if (strncmp(name, bpf_program__name(p), BPF_OBJ_NAME_LEN - 1) == 0)
			return 1;
	return 0;
}

static void show_map(unsigned int slot, struct map *m)
{
	printf("map %u %s type=%u key=%u value=%u entries=%u flags=%#x", slot, m->name, m->type, m->key,
	       m->value, m->entries, m->flags);
	for (unsigned int i = 0; m->targets && i < m->entries; i++)
		printf(" %u", m->targets[i]);
	printf("\n");
}

static void show_program(union bpf_attr *attr)
{
	struct bpf_insn *insns = (void *)attr->insns;
	unsigned char *bytes = (void *)insns, *rec;

	printf("program %s type=%s flags=%#x attach=%u ", attr->prog_name,
	       libbpf_bpf_prog_type_str(attr->prog_type), attr->prog_flags, attr->expected_attach_type);
	for (unsigned int i = 0; i < attr->insn_cnt * 8; i++)
		printf("%02x", bytes[i]);
	printf("\n");
	for (unsigned int i = 0; i < attr->insn_cnt; i++) {
		struct map *m;

		if (insns[i].code != 0x18 || insns[i].src_reg != 1 && insns[i].src_reg != 2)
			continue;
		m = map_of(insns[i].imm);
		if (m)
			show_map(i, m);
	}
	printf("functions");
	rec = (void *)attr->func_info;
	for (unsigned int i = 0; i < attr->func_info_cnt; i++, rec += attr->func_info_rec_size)
		printf(" %u", *(unsigned int *)rec);
	printf("\nlines");
	rec = (void *)attr->line_info;
	for (unsigned int i = 0; i < attr->line_info_cnt; i++, rec += attr->line_info_rec_size) {
		unsigned int *w = (void *)rec;

		printf(" %u:%u:%u", w[0], w[3] >> 10, w[3] & 1023);
	}
	printf("\n");
}

long __real_syscall(long nr, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long nr, long cmd, long arg, long c, long d, long e, long f)
{
	union bpf_attr *attr = (void *)arg;
	struct map *m;

	if (nr != SYS_bpf)
		return __real_syscall(nr, cmd, arg, c, d, e, f);
	switch (cmd) {
	case BPF_MAP_CREATE:
		return create_map(attr);
	case BPF_MAP_UPDATE_ELEM:
		m = map_of(attr->map_fd);
		if (m && m->targets && *(unsigned int *)attr->key < m->entries)
			m->targets[*(unsigned int *)attr->key] = *(unsigned int *)attr->value;
		return 0;
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
		return 0;
	case BPF_PROG_LOAD:
		if (object && is_own(attr->prog_name))
			show_program(attr);
		if (strcmp(attr->prog_name, "global_reloc") == 0) {
			/* A probe for offsets into arenas, in the words of Linux 7.3. */
			if (attr->log_buf)
				strcpy((char *)attr->log_buf, "invalid access to map value pointer");
			break;
		}
		/* fall through */
	case BPF_BTF_LOAD:
		return open("/dev/null", O_RDONLY);
	}
	errno = EINVAL;
	return -1;
}

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1024];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	if (!strstr(line, "probe") && !strstr(line, "Detection"))
		printf("says %s", line);
	return 0;
}

int main(int argc, char **argv)
{
	libbpf_set_print(print);
	for (int i = 1; i < argc; i++) {
		struct bpf_program *p;

		printf("object %s\n", argv[i]);
		object = NULL;
		object = bpf_object__open_file(argv[i], NULL);
		if (!object) {
			printf("error %d\n", errno);
			continue;
		}
		bpf_object__for_each_program(p, object) {
			bpf_program__set_autoload(p, true);
			if (bpf_program__type(p) == BPF_PROG_TYPE_UNSPEC)
				bpf_program__set_type(p, BPF_PROG_TYPE_SOCKET_FILTER);
		}
		int err = bpf_object__load(object);

		if (err)
			printf("error %d\n", -err);
		bpf_object__close(object);
	}
	return 0;
}
