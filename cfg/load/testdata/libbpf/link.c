/* Joins objects with libbpf's static linker, as bpftool gen object does. */
#include <stdio.h>
#include "libbpf.h"

int main(int argc, char **argv)
{
	struct bpf_linker *l = bpf_linker__new(argv[1], NULL);

	for (int i = 2; l && i < argc; i++)
		if (bpf_linker__add_file(l, argv[i], NULL))
			return 1;
	return !l || bpf_linker__finalize(l);
}
