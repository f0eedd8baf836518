#pragma once

#include "auth/dkim/dkim_header.h"
#include "base/arena.h"

/*
 * A whole message in memory, its fields indexed: for the tool, which signs. Uses the heap; not made
 * for the path of mails.
 */
struct dkim_message {
	struct slab blocks;
	struct arena arena; /* for whatever belongs to the message */
	struct dkim_header header;
	struct bytes body;
	uint8_t *buffer; /* the header section */
};

typedef void (*dkim_message_field_fn)(void *arg, const struct field *field);

/*
 * `text` has CRLF line ends and stays the caller's. `each` (NULL: none) sees every field from top
 * to bottom. 0, -EINVAL (the header section is too large) or -ENOMEM; dkim_message_close() follows
 * in any case.
 */
int dkim_message_open(
	struct dkim_message *message, struct bytes text, dkim_message_field_fn each, void *arg);
void dkim_message_close(struct dkim_message *message);
