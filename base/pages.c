#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

/* What the kernel counts in. */
#define PAGE ((size_t)4096)

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

void *pages_reserve(size_t len)
{
	size_t want = round_up(len, PAGE);
	uint8_t *map, *pages;
	size_t before, after;

	if (len == 0 || len > SIZE_MAX / 2)
		return NULL;
	map = mmap(NULL, want + PAGES_HUGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	/* One huge page more than needed, to find the boundary; what is over goes back. */
	pages = (uint8_t *)round_up((uintptr_t)map, PAGES_HUGE);
	before = (size_t)(pages - map);
	after = PAGES_HUGE - before;
	if (before > 0)
		munmap(map, before);
	if (after > 0)
		munmap(pages + want, after);
	return pages;
}

void pages_want_huge(void *at, size_t len)
{
	(void)madvise(at, len, MADV_HUGEPAGE);
}

void pages_release(void *pages, size_t len)
{
	if (pages)
		munmap(pages, round_up(len, PAGE));
}
