/* Tags lie in the input, in order, without what parts them. */
#include "auth/dkim/dkim_tags.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dkim_tags tags;
	uint8_t octets[64];
	size_t len;
	const uint8_t *at = data;

	dkim_tags_base64(bytes_of(data, size), octets, sizeof(octets), &len);
	if (len > sizeof(octets))
		abort();
	if (dkim_tags_parse(bytes_of(data, size), &tags) != DKIM_TAGS_OK)
		return 0;
	for (unsigned i = 0; i < tags.n; i++) {
		const struct dkim_tag *tag = &tags.tag[i];
		if (tag->name.data < at || tag->raw.data <= tag->name.data ||
			tag->raw.data + tag->raw.len > data + size)
			abort();
		if (bytes_find(tag->raw, ';') != BYTES_NPOS)
			abort();
		at = tag->raw.data + tag->raw.len;
	}
	return 0;
}
