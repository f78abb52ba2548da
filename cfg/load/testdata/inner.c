/* A lookup in a map of maps, and one in the map that it finds. */
static void *(*const lookup)(void *map, const void *key) = (void *)1;

struct counters {
	int (*type)[2]; /* array */
	int (*max_entries)[5];
	unsigned int *key;
	unsigned long long *value;
};

struct {
	int (*type)[13]; /* hash of maps */
	int (*max_entries)[3];
	unsigned int *key;
	struct counters *values[];
} tables __attribute__((section(".maps"), used));

__attribute__((section("xdp"), used)) int count(unsigned int *ctx)
{
	unsigned int table = ctx[4], i = 2;
	void *inner = lookup(&tables, &table);
	unsigned long long *n;

	if (!inner)
		return 2;
	n = lookup(inner, &i);
	if (n)
		*n += 1;
	return 2;
}
