#pragma once

#include "auth/arc/arc.h"
#include "auth/dkim/dkim_harness.h"

/* For tests and fuzzers: a chain verifier beside the DKIM one of a harness. `ctx` is a struct
 * arc_verifier *. */
extern const struct dkim_harness_hooks arc_harness_hooks;
