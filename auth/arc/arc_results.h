#pragma once

#include "auth/message/fields.h"
#include "auth/result.h"

/*
 * The results that a message carries in Authentication-Results fields of one authserv-id, joined
 * for an ARC-Authentication-Results field (RFC 8617 §4.1.1): what the tool seals, which verifies
 * nothing itself.
 */
struct arc_results {
	struct bytes authserv_id;
	struct text joined;   /* "ID; spf=pass ...; dkim=pass ..." */
	unsigned n_arc;       /* results of method arc */
	enum auth_result arc; /* the last of them */
};

/* `buffer` is for the joined results. */
void arc_results_init(
	struct arc_results *results, struct bytes authserv_id, char *buffer, size_t size);
/* Fields of other names and other ids are ignored, and so are those that cannot be read. */
void arc_results_add(struct arc_results *results, const struct field *field);
/*
 * What an ARC-Authentication-Results field says of a method: the first of its results; AUTH_NONE
 * where there is none, or the field cannot be read.
 */
enum auth_result arc_results_find(struct bytes aar, struct bytes method);
/* The whole; "ID; none" where there was nothing. */
struct bytes arc_results_end(struct arc_results *results);
