#pragma once

#include "auth/arc/arc_seal.h"

/* Sealing a whole message, for the tool and for tests. Uses the heap. */

struct arc_seal_options {
	struct arc_seal_key key;
	struct bytes authserv_id;
	struct bytes names; /* h=; absent: the usual ones */
	uint64_t now_unix_s;
};

/*
 * The three fields to put in front of a message with CRLF line ends. What its
 * Authentication-Results of that id say is taken for true, `arc=` for the state of its chain.
 * Nothing is written where it is refused. 0 or -errno.
 */
int arc_seal_message(const struct arc_seal_options *options, struct bytes message, struct text *out,
	enum arc_seal_refusal *refusal);
