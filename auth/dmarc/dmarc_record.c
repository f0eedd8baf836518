#include "auth/dmarc/dmarc_record.h"

#include <stdlib.h>

const char *dmarc_policy_word(enum dmarc_policy policy)
{
	switch (policy) {
	case DMARC_POLICY_NONE: return "none";
	case DMARC_POLICY_QUARANTINE: return "quarantine";
	case DMARC_POLICY_REJECT: return "reject";
	case DMARC_POLICY_ABSENT: break;
	}
	return NULL;
}

/* A tag that may be missing, right, or wrong. */
struct policy_tag {
	bool seen, valid;
	enum dmarc_policy policy;
};

struct tags {
	struct policy_tag p, sp, np;
	bool rua_seen, rua_valid;
	bool adkim_seen, aspf_seen, t_seen, psd_seen;
};

/* The first of tags that repeat counts; the RFC leaves it open. */
static bool first_time(bool *seen)
{
	bool first = !*seen;

	*seen = true;
	return first;
}

static void read_policy(struct policy_tag *tag, struct bytes value)
{
	if (!first_time(&tag->seen))
		return;
	for (enum dmarc_policy i = DMARC_POLICY_NONE; i <= DMARC_POLICY_REJECT; i++) {
		if (bytes_eq_nocase(value, bytes_str(dmarc_policy_word(i)))) {
			tag->policy = i;
			tag->valid = true;
		}
	}
}

static bool is_scheme_char(int c)
{
	return ascii_is_alnum(c) || c == '+' || c == '-' || c == '.';
}

/* RFC 3986 as far as it matters here: a scheme, and for mailto an address. */
static bool is_uri(struct bytes uri)
{
	struct cursor in = cursor_of(uri);

	if (!ascii_is_alpha(cursor_peek(&in)))
		return false;
	struct bytes scheme = cursor_take_while(&in, is_scheme_char);
	if (!cursor_accept(&in, ':') || cursor_done(&in))
		return false;
	struct bytes rest = cursor_rest(&in);
	if (cursor_take_while(&in, ascii_is_vchar).len != rest.len)
		return false;
	if (!bytes_eq_nocase(scheme, BYTES("mailto")))
		return true;
	size_t at = bytes_find(rest, '@');
	return at != BYTES_NPOS && at > 0 && at + 1 < rest.len;
}

static bool has_uri(struct bytes list)
{
	struct bytes uri;

	while (bytes_split(&list, ',', &uri)) {
		if (is_uri(bytes_trim(uri)))
			return true;
	}
	return false;
}

static void read_tag(
	struct bytes name, struct bytes value, struct tags *tags, struct dmarc_record *record)
{
	if (bytes_eq_nocase(name, BYTES("p"))) {
		read_policy(&tags->p, value);
	} else if (bytes_eq_nocase(name, BYTES("sp"))) {
		read_policy(&tags->sp, value);
	} else if (bytes_eq_nocase(name, BYTES("np"))) {
		read_policy(&tags->np, value);
	} else if (bytes_eq_nocase(name, BYTES("adkim")) && first_time(&tags->adkim_seen)) {
		record->strict_dkim = bytes_eq_nocase(value, BYTES("s"));
	} else if (bytes_eq_nocase(name, BYTES("aspf")) && first_time(&tags->aspf_seen)) {
		record->strict_spf = bytes_eq_nocase(value, BYTES("s"));
	} else if (bytes_eq_nocase(name, BYTES("t")) && first_time(&tags->t_seen)) {
		record->testing = bytes_eq_nocase(value, BYTES("y"));
	} else if (bytes_eq_nocase(name, BYTES("psd")) && first_time(&tags->psd_seen)) {
		record->psd = bytes_eq_nocase(value, BYTES("y"))   ? DMARC_PSD_YES
			      : bytes_eq_nocase(value, BYTES("n")) ? DMARC_PSD_NO
								   : DMARC_PSD_UNKNOWN;
	} else if (bytes_eq_nocase(name, BYTES("rua")) && first_time(&tags->rua_seen)) {
		tags->rua_valid = has_uri(value);
	}
}

static bool split_tag(struct bytes tag, struct bytes *name, struct bytes *value)
{
	size_t equals = bytes_find(tag, '=');

	if (equals == BYTES_NPOS)
		return false;
	*name = bytes_trim(bytes_slice(tag, 0, equals));
	*value = bytes_trim(bytes_from(tag, equals + 1));
	return true;
}

/* What is missing falls back: np to sp to p (§4.7). */
static void settle_policy(const struct tags *tags, struct dmarc_record *record)
{
	bool broken = !tags->p.valid || (tags->sp.seen && !tags->sp.valid) ||
		      (tags->np.seen && !tags->np.valid);

	if (broken) {
		record->p = tags->rua_valid ? DMARC_POLICY_NONE : DMARC_POLICY_ABSENT;
		record->sp = record->np = record->p;
		return;
	}
	record->p = tags->p.policy;
	record->sp = tags->sp.seen ? tags->sp.policy : record->p;
	record->np = tags->np.seen ? tags->np.policy : record->sp;
}

bool dmarc_record_parse(struct bytes text, struct dmarc_record *record)
{
	struct tags tags = {.rua_valid = false};
	struct bytes tag, name, value;

	*record = (struct dmarc_record){.found = false};
	if (text.len == 0 || ascii_is_wsp(text.data[0]))
		return false;
	if (!bytes_split(&text, ';', &tag) || !split_tag(tag, &name, &value) ||
		!bytes_eq_nocase(name, BYTES("v")) || !bytes_eq(value, BYTES("DMARC1")))
		return false;
	record->found = true;
	while (bytes_split(&text, ';', &tag)) {
		if (split_tag(tag, &name, &value))
			read_tag(name, value, &tags, record);
	}
	settle_policy(&tags, record);
	return true;
}

void dmarc_record_select(const struct dns_record *records, unsigned n, struct dmarc_record *record)
{
	struct dmarc_record other;
	bool found = false;

	*record = (struct dmarc_record){.found = false};
	for (unsigned i = 0; i < n; i++) {
		if (!dmarc_record_parse(records[i].text, &other))
			continue;
		if (found) {
			*record = (struct dmarc_record){.several = true};
			return;
		}
		found = true;
		*record = other;
	}
}

static const void *parse_answer(const struct dns_answer *answer)
{
	struct dmarc_record *record = malloc(sizeof(*record));

	if (record)
		dmarc_record_select(answer->records, answer->n, record);
	return record;
}

static void free_parsed(const void *parsed)
{
	free((void *)(uintptr_t)parsed);
}

static size_t parsed_size(const void *parsed)
{
	(void)parsed;
	return sizeof(struct dmarc_record);
}

const struct dns_parser dmarc_record_parser = {
	.parse = parse_answer,
	.free = free_parsed,
	.size = parsed_size,
};
