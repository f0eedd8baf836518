#include "auth/dkim/dkim_message.h"

#include <errno.h>
#include <stdlib.h>

#define HEADER_MAX (1u << 20)
#define BLOCK      (128u << 10)
#define BLOCKS     64

static int read_fields(
	struct dkim_message *message, struct bytes text, dkim_message_field_fn each, void *arg)
{
	struct fields fields;
	struct field field;
	enum fields_event event;

	fields_init(&fields, message->buffer, HEADER_MAX);
	for (;;) {
		event = fields_feed(&fields, &text, &field);
		if (event == FIELDS_MORE)
			event = fields_finish(&fields, &field);
		if (event != FIELDS_FIELD)
			break;
		dkim_header_add(&message->header, &field);
		if (each)
			each(arg, &field);
	}
	message->body = text;
	return event == FIELDS_END && !message->header.overflow ? 0 : -EINVAL;
}

int dkim_message_open(
	struct dkim_message *message, struct bytes text, dkim_message_field_fn each, void *arg)
{
	*message = (struct dkim_message){.buffer = malloc(HEADER_MAX)};
	if (!message->buffer || slab_init(&message->blocks, BLOCK, BLOCKS))
		return -ENOMEM;
	arena_init(&message->arena, &message->blocks, BLOCKS);
	dkim_header_init(&message->header, &message->arena);
	return read_fields(message, text, each, arg);
}

void dkim_message_close(struct dkim_message *message)
{
	if (message->arena.blocks)
		arena_fini(&message->arena);
	slab_fini(&message->blocks);
	free(message->buffer);
}
