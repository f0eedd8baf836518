#include "auth/dkim/dkim_canon_priv.h"

size_t dkim_canon_relaxed(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity)
{
	return dkim_canon_relaxed_plain(body, input, out, capacity);
}
