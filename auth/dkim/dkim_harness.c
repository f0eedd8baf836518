#include "auth/dkim/dkim_harness.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define HARNESS_BLOCKS 1024

void dkim_harness_init(struct dkim_harness *h, struct dns_zone *zone)
{
	*h = (struct dkim_harness){.zone = zone,
		.limits = dkim_limits_default,
		.now_unix_s = 1790000000,
		.header = malloc(DKIM_HARNESS_HEADER_MAX),
		.queue = crypto_queue_new()};
	int error = slab_init(&h->blocks, ARENA_BLOCK_SIZE, HARNESS_BLOCKS);
	assert(error == 0 && h->header && h->queue);
	(void)error;
	arena_init(&h->arena, &h->blocks, HARNESS_BLOCKS);
	dns_asks_init(&h->asks, &h->arena);
}

void dkim_harness_end(struct dkim_harness *h)
{
	if (h->verifier && h->hooks)
		h->hooks->end(h->ctx);
	if (h->verifier)
		dkim_verifier_fini(h->verifier);
	h->verifier = NULL;
	dns_asks_fini(&h->asks);
	arena_reset(&h->arena);
}

void dkim_harness_fini(struct dkim_harness *h)
{
	dkim_harness_end(h);
	arena_fini(&h->arena);
	slab_fini(&h->blocks);
	crypto_queue_free(h->queue);
	free(h->header);
}

void dkim_harness_answer(struct dkim_harness *h)
{
	const struct dns_parsers parsers = {.of[DNS_USE_DKIM] = &dkim_key_parser};
	for (int i; (i = dns_asks_take(&h->asks, h->now_us)) >= 0;) {
		const struct dns_answer *answer =
			dns_zone_answer(h->zone, &parsers, &h->asks.ask[i]->question);
		assert(answer);
		dns_asks_answer(&h->asks, (unsigned)i, answer, h->now_us);
		dns_answer_release(answer);
	}
}

static void work(struct dkim_harness *h)
{
	if (!h->keys_last)
		dkim_harness_answer(h);
	crypto_run(h->queue, h->now_us++, false, 1000);
}

static void give_field(struct dkim_harness *h, const struct field *field)
{
	dkim_verifier_field(h->verifier, field);
	if (h->hooks)
		h->hooks->field(h->ctx, field);
}

static void end_header(struct dkim_harness *h)
{
	dkim_verifier_header_end(h->verifier);
	if (h->hooks)
		h->hooks->header_end(h->ctx);
}

/* True once the body has begun. */
static bool feed_fields(struct dkim_harness *h, struct fields *fields, struct bytes *input)
{
	struct field field;
	enum fields_event event;
	while ((event = fields_feed(fields, input, &field)) == FIELDS_FIELD)
		give_field(h, &field);
	if (event == FIELDS_MORE)
		return false;
	end_header(h);
	return true;
}

static void finish_fields(struct dkim_harness *h, struct fields *fields)
{
	struct field field;
	while (fields_finish(fields, &field) == FIELDS_FIELD)
		give_field(h, &field);
	end_header(h);
}

void dkim_harness_run(struct dkim_harness *h, struct bytes message)
{
	struct fields fields;
	bool in_body = false;

	dkim_harness_end(h);
	dns_asks_init(&h->asks, &h->arena);
	fields_init(&fields, h->header, DKIM_HARNESS_HEADER_MAX);
	h->verifier = dkim_verifier_new(&h->arena, &h->asks, h->queue, &h->limits, h->now_unix_s);
	assert(h->verifier);
	if (h->hooks)
		h->hooks->begin(h, h->ctx);
	while (message.len) {
		struct bytes portion =
			bytes_slice(message, 0, h->portion ? h->portion : message.len);
		message = bytes_from(message, portion.len);
		in_body = in_body || feed_fields(h, &fields, &portion);
		if (in_body)
			dkim_verifier_body(h->verifier, portion);
		work(h);
	}
	if (!in_body)
		finish_fields(h, &fields);
	dkim_verifier_body_end(h->verifier);
	h->keys_last ? work(h), dkim_harness_answer(h) : work(h);
	while (crypto_pending(h->queue))
		crypto_run(h->queue, h->now_us++, true, 1000);
	assert(dkim_verifier_done(h->verifier));
}

struct bytes dkim_harness_load(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return (struct bytes){NULL, 0};
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	rewind(file);
	uint8_t *raw = malloc((size_t)size + 1), *out = malloc(2 * (size_t)size + 1);
	size_t n = 0, len = fread(raw, 1, (size_t)size, file);
	fclose(file);
	for (size_t i = 0; i < len; i++) {
		if (raw[i] == '\n' && (i == 0 || raw[i - 1] != '\r'))
			out[n++] = '\r';
		out[n++] = raw[i];
	}
	free(raw);
	return bytes_of(out, n);
}
