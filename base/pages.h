/* Big memory straight from the kernel: reserved as address space, taken page by page when touched.
 */
#pragma once

#include <stddef.h>

/* Size and alignment of a huge page. */
#define PAGES_HUGE ((size_t)2 << 20)

/*
 * Reserves `len` zeroed octets that start on a huge page boundary. With pages_want_huge() on the
 * part in use, the kernel backs it with huge pages where it can. NULL if there is no room.
 */
void *pages_reserve(size_t len);
/* Advice only: without huge pages everything works, slower. `at` lies on a huge page boundary. */
void pages_want_huge(void *at, size_t len);
/* Gives back what pages_reserve(len) gave; NULL is allowed. */
void pages_release(void *pages, size_t len);
