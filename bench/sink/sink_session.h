/*
 * One session of an LMTP server (RFC 2033) that takes everything and keeps nothing, without I/O: a
 * store that is never what limits. Octets go in, replies come out into a text.
 */
#pragma once

#include "base/bytes.h"

#define SINK_LINE_MAX       2048u
#define SINK_RECIPIENTS_MAX 1000u
/* The room for replies that one step may need: one for each recipient. */
#define SINK_REPLIES_MAX (SINK_RECIPIENTS_MAX * 32u + 256u)

struct sink_config {
	bool chunking, eight_bit, pipelining;
	uint64_t size; /* announced by SIZE; 0: none */
};

struct sink_counts {
	uint64_t sessions, mails, recipients, octets, bad; /* bad: commands refused */
};

enum sink_state { SINK_COMMAND, SINK_DATA, SINK_BDAT, SINK_CLOSED };

struct sink_session {
	const struct sink_config *config;
	struct sink_counts *counts;
	uint64_t chunk_left; /* of BDAT */
	uint32_t recipients;
	uint16_t line_len;
	uint8_t state;  /* enum sink_state */
	uint8_t dotted; /* octets of CRLF.CRLF that were seen */
	bool in_mail, last_chunk, refused, line_too_long;
	char line[SINK_LINE_MAX];
};

/* Says the greeting. */
void sink_session_init(struct sink_session *s, const struct sink_config *config,
	struct sink_counts *counts, struct text *out);
/*
 * Takes octets off `input` while `out` has room for SINK_REPLIES_MAX more; call again once it is
 * sent.
 */
void sink_session_input(struct sink_session *s, struct bytes *input, struct text *out);

static inline bool sink_session_closed(const struct sink_session *s)
{
	return s->state == SINK_CLOSED;
}
