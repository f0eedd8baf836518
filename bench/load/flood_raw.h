/* A SYN flood of IPv4 through a raw kernel socket, only inside a network namespace. */
#pragma once

#include "base/bytes.h"
#include "bench/load/load_options.h"

struct flood_raw;

/* 0 or -errno with the reason. */
int flood_raw_new(const struct load_options *options, struct flood_raw **out, struct text *why);
/* Up to `n` SYNs; how many went. */
unsigned flood_raw_send(struct flood_raw *flood, unsigned n);
void flood_raw_free(struct flood_raw *flood); /* NULL is allowed */
