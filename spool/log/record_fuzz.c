/* A record and its payload from random octets; what decodes must encode to the same again. */

#include <assert.h>
#include <stdlib.h>

#include "spool/log/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct record_commit *c, struct bytes payload)
{
	struct spool_recipient *recipients = calloc(c->envelope.n_recipients, sizeof(*recipients));
	struct record_extent *extents = calloc(c->n_extents + 1, sizeof(*extents));
	struct spool_cut cuts[SPOOL_MAX_CUTS];
	struct spool_envelope e = c->envelope;
	uint64_t head = record_commit_head_size(&e, c->n_extents);
	struct record_commit again;
	uint8_t *out;

	record_commit_recipients(c, recipients);
	record_commit_cuts(c, cuts);
	for (uint32_t i = 0; i < c->n_extents; i++)
		extents[i] = record_commit_extent(c, i);
	e.recipients = recipients;
	e.cuts = cuts;
	head = record_commit_head_size(&e, c->n_extents);
	assert(head + c->content.len == payload.len);
	out = malloc(payload.len);
	record_commit_encode(out, &e, extents, c->n_extents, (uint32_t)c->content.len);
	memcpy(out + head, c->content.data, c->content.len);
	assert(record_commit_decode(bytes_of(out, payload.len), &again) == 0);
	assert(bytes_eq(again.recipients, c->recipients));
	assert(bytes_eq(again.cuts, c->cuts) && bytes_eq(again.content, c->content));
	assert(bytes_eq(again.envelope.trace, c->envelope.trace));
	free(out);
	free(extents);
	free(recipients);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_commit commit;
	struct bytes input = bytes_of(data, size), content;
	struct record_note note;
	struct record r, back;
	uint64_t id;
	uint8_t *sealed;

	if (record_read(input, 0, &r))
		record_note_decode(&r, &note);
	if (record_commit_decode(input, &commit) == 0)
		same_again(&commit, input);
	record_extent_decode(input, &id, &content);
	/* As a payload it survives, and no octet of it may change unseen. */
	r = (struct record){.type = RECORD_DONE, .payload = input};
	record_note_decode(&r, &note);
	sealed = malloc(record_size((uint32_t)size));
	memcpy(sealed + RECORD_HEADER_SIZE, data, size);
	record_seal(sealed, 7, &r);
	assert(record_read(bytes_of(sealed, record_size((uint32_t)size)), 7, &back));
	assert(bytes_eq(back.payload, input));
	assert(!record_read(bytes_of(sealed, record_size((uint32_t)size)), 8, &back));
	if (size) {
		sealed[data[0] % (RECORD_HEADER_SIZE + size)] ^= 1;
		assert(!record_read(bytes_of(sealed, record_size((uint32_t)size)), 7, &back));
	}
	free(sealed);
	return 0;
}
