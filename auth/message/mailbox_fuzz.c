#include "auth/message/mailbox.h"

#include "base/arena.h"

#include <assert.h>

/* Whatever comes out is in its final form, and everything read stays inside the input. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct slab slab;
	struct arena arena;
	struct mailbox_domains domains;
	enum mailbox_status status;

	if (!slab.base && slab_init(&slab, ARENA_BLOCK_SIZE, 8) != 0)
		return 0;
	arena_init(&arena, &slab, 8);
	status = mailbox_domains_parse(bytes_of(data, size), &arena, &domains);
	assert(domains.n <= MAILBOX_MAX_DOMAINS);
	assert((status == MAILBOX_OK) <= (domains.n > 0));
	for (unsigned i = 0; i < domains.n; i++) {
		struct bytes again;

		assert(mailbox_domain_to_ascii(domains.domain[i], NULL, &again));
		assert(bytes_eq(again, domains.domain[i]));
	}
	arena_fini(&arena);
	return 0;
}
