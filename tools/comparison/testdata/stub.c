/*
 * Answers bpf(2) for one program from a file, so that bpftool prints a program
 * that a kernel showed earlier: LD_PRELOAD this with XLATED=FILE, the bytes of
 * its instructions. Only what "bpftool prog dump xlated id 1" asks is answered.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Commands of bpf(2), and offsets in union bpf_attr and struct bpf_prog_info (include/uapi/linux/bpf.h). */
enum { PROG_GET_FD_BY_ID = 13, OBJ_GET_INFO_BY_FD = 15 };
enum { ATTR_INFO_LEN = 4, ATTR_INFO = 8 };
enum { INFO_TYPE = 0, INFO_ID = 4, INFO_XLATED_LEN = 20, INFO_XLATED = 32 };

static unsigned char code[8 << 20];
static uint32_t size;

static void read_code(void)
{
	int fd = open(getenv("XLATED"), O_RDONLY);
	ssize_t n;

	size = 0;
	while (fd >= 0 && (n = read(fd, code + size, sizeof(code) - size)) > 0)
		size += n;
	close(fd);
}

static uint64_t number(const void *at, int bytes)
{
	uint64_t v = 0;

	memcpy(&v, at, bytes);
	return v;
}

static int info(char *attr)
{
	uint32_t len = number(attr + ATTR_INFO_LEN, 4), type = 31, id = 1, room;
	char *out = (char *)(uintptr_t)number(attr + ATTR_INFO, 8);
	char *insns;

	if (len < INFO_XLATED + 8)
		return EINVAL;
	room = number(out + INFO_XLATED_LEN, 4);
	insns = (char *)(uintptr_t)number(out + INFO_XLATED, 8);
	if (insns)
		memcpy(insns, code, room < size ? room : size);
	memcpy(out + INFO_TYPE, &type, 4);
	memcpy(out + INFO_ID, &id, 4);
	memcpy(out + INFO_XLATED_LEN, &size, 4);
	return 0;
}

long syscall(long number_, ...)
{
	va_list ap;
	long a[3];
	int err = EINVAL;

	va_start(ap, number_);
	for (int i = 0; i < 3; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number_ != SYS_bpf) {
		errno = ENOSYS;
		return -1;
	}
	if (!size)
		read_code();
	if (a[0] == PROG_GET_FD_BY_ID)
		return open("/dev/null", O_RDONLY);
	if (a[0] == OBJ_GET_INFO_BY_FD)
		err = info((char *)a[1]);
	errno = err;
	return err ? -1 : 0;
}
