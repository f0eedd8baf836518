#include "auth/arc/arc_harness.h"

#include <assert.h>

static void begin(struct dkim_harness *h, void *ctx)
{
	struct arc_verifier **arc = ctx;
	*arc = arc_verifier_new(&h->arena, &h->asks, h->queue, h->verifier, &h->limits);
	assert(*arc);
}

static void give_field(void *ctx, const struct field *field)
{
	struct arc_verifier **arc = ctx;
	arc_verifier_field(*arc, field);
}

static void header_end(void *ctx)
{
	struct arc_verifier **arc = ctx;
	arc_verifier_header_end(*arc);
}

static void end(void *ctx)
{
	struct arc_verifier **arc = ctx;
	arc_verifier_fini(*arc);
	*arc = NULL;
}

const struct dkim_harness_hooks arc_harness_hooks = {begin, give_field, header_end, end};
