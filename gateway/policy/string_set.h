#pragma once

#include "base/bytes.h"

/*
 * A fixed set of strings, compared without regard to ASCII case: filled once, then read by any
 * thread. Empty is all zero.
 */
struct string_set {
	struct bytes *slots; /* capacity of them, a power of two; data NULL: free */
	size_t capacity, count;
};

/* Add a copy. 0 or -ENOMEM; what is there already stays once. */
int string_set_add(struct string_set *set, struct bytes value);
bool string_set_holds(const struct string_set *set, struct bytes value);
void string_set_fini(struct string_set *set);
