/*
 * All DKIM-Signature fields of one mail. Each goes its own way (dkim_check) and is final once its
 * key half is settled and its body hash known, or as soon as either has made it hopeless.
 */
#include "auth/dkim/dkim.h"

#include "auth/dkim/dkim_body.h"
#include "auth/dkim/dkim_check.h"
#include "auth/dkim/dkim_header.h"
#include "auth/message/mailbox.h"
#include "base/arena.h"

/* A signature from further in the future than this is not believed (RFC 6376 §3.5, t=); clocks do
 * run a day off. */
#define FUTURE_MAX_S 86400

const struct dkim_limits dkim_limits_default = {
	.signatures = 10,
	.header_bytes = 256 * 1024,
	.min_rsa_bits = 1024,
	.clock_skew_s = 300,
};

/* What header.b names of a signature (RFC 6008 §4): enough to tell it from others. */
#define B_OCTETS 8

struct signature {
	struct dkim_verifier *verifier;
	struct dkim_sig sig;
	struct dkim_check check;
	struct dkim_body_stream *stream;
	struct dkim_body_wait wait;
	bool final, chosen;
	uint8_t b[B_OCTETS];
	struct dkim_result result;
};

struct dkim_verifier {
	struct arena *arena;
	struct dns_asks *asks;
	struct crypto_queue *queue;
	struct dkim_limits limits;
	uint64_t now_unix_s;
	unsigned n_fields, n, n_final, n_asked;
	bool header_ended;
	struct bytes from; /* value of the last From */
	struct dkim_header header;
	struct dkim_body body;
	struct signature *signature[DKIM_MAX_SIGNATURES];
};

struct dkim_verifier *dkim_verifier_new(struct arena *arena, struct dns_asks *asks,
	struct crypto_queue *queue, const struct dkim_limits *limits, uint64_t now_unix_s)
{
	struct dkim_verifier *verifier = ARENA_NEW(arena, struct dkim_verifier);
	if (!verifier)
		return NULL;
	verifier->arena = arena;
	verifier->asks = asks;
	verifier->queue = queue;
	verifier->limits = *limits;
	verifier->now_unix_s = now_unix_s;
	dkim_header_init(&verifier->header, arena);
	dkim_body_init(&verifier->body, arena, queue);
	return verifier;
}

/* The first octets of b=, without folding. */
static struct bytes first_of_b(struct signature *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->sig.b.len && n < B_OCTETS; i++)
		if (ascii_is_vchar(s->sig.b.data[i]))
			s->b[n++] = s->sig.b.data[i];
	return bytes_of(s->b, n);
}

static void finish(struct signature *s, enum auth_result result, const char *reason)
{
	if (s->final)
		return;
	s->final = true;
	s->verifier->n_final++;
	s->result.result = result;
	s->result.reason = reason;
	s->result.domain = s->sig.domain;
	s->result.selector = s->sig.selector;
	s->result.algorithm = s->sig.a;
	s->result.identity = s->sig.identity;
	s->result.b = first_of_b(s);
	s->result.key_bits = s->check.key_bits;
	s->result.testing = s->check.testing;
	s->result.asked_us = s->check.asked_us;
	s->result.verified_us = s->check.done_us;
	s->result.batch = s->check.job.batch;
	dkim_check_cancel(&s->check);
}

/*
 * Either half has come in. The body is judged first, whichever came first: what a mail gets must
 * not depend on timing, and over a changed body no look-up's failure matters.
 */
static void consider(void *owner)
{
	struct signature *s = owner;
	const struct dkim_check *check = &s->check;
	const struct dkim_body_stream *stream = s->stream;

	if (s->final || !stream || !stream->done)
		return;
	if (s->result.hashed_us == 0)
		s->result.hashed_us = crypto_now_us(s->verifier->queue);
	if (memcmp(stream->digest, s->sig.body_hash, sizeof(s->sig.body_hash)) != 0)
		finish(s, AUTH_FAIL, "body_hash_mismatch");
	else if (!check->done)
		return;
	else if (check->result != AUTH_PASS)
		finish(s, check->result, check->reason);
	else if (s->sig.body_length != DKIM_SIG_NO_LENGTH && stream->given < s->sig.body_length)
		finish(s, AUTH_FAIL, "body_shorter_than_length");
	else if (stream->tail && !s->verifier->limits.body_tail)
		finish(s, AUTH_POLICY, "body_has_unsigned_tail");
	else
		finish(s, AUTH_PASS, NULL);
}

/* What the field by itself rules out; NULL where nothing does. */
static const char *judge(
	const struct dkim_verifier *verifier, const struct dkim_sig *sig, enum auth_result *result)
{
	*result = AUTH_POLICY;
	if (sig->sha1)
		return "algorithm_too_weak"; /* RFC 8301 §3.1 */
	if (sig->has_time && sig->signed_s > verifier->now_unix_s + FUTURE_MAX_S)
		return "signed_in_the_future";
	*result = AUTH_FAIL;
	if (sig->has_expiry &&
		sig->expires_s + verifier->limits.clock_skew_s < verifier->now_unix_s)
		return "expired";
	return NULL;
}

static void ask(struct signature *s)
{
	const char *wrong = dkim_check_ask(&s->check, s->verifier->asks);
	if (wrong)
		finish(s, s->check.asked ? AUTH_POLICY : AUTH_PERMERROR, wrong);
	else
		s->verifier->n_asked++;
}

static void add_signature(struct dkim_verifier *verifier, const struct field *field)
{
	struct signature *s = NULL;

	verifier->n_fields++;
	if (verifier->n < DKIM_MAX_SIGNATURES)
		s = ARENA_NEW(verifier->arena, struct signature);
	if (!s)
		return;
	verifier->signature[verifier->n++] = s;
	s->verifier = verifier;
	/* RFC 8601 §2.7.1: neutral is the word for a signature that is not well-formed. */
	const char *wrong = dkim_sig_parse(&s->sig, DKIM_SIG_DKIM, field, verifier->arena);
	enum auth_result result = AUTH_NEUTRAL;
	dkim_check_init(&s->check, &s->sig, verifier->queue, verifier->limits.min_rsa_bits);
	s->check.settled = consider;
	s->check.owner = s;
	if (!wrong)
		wrong = judge(verifier, &s->sig, &result);
	if (wrong)
		finish(s, result, wrong);
	else if (verifier->n_asked < verifier->limits.signatures)
		ask(s);
}

void dkim_verifier_field(struct dkim_verifier *verifier, const struct field *field)
{
	dkim_header_add(&verifier->header, field);
	if (bytes_eq_nocase(field->name, BYTES("dkim-signature")))
		add_signature(verifier, field);
	else if (bytes_eq_nocase(field->name, BYTES("from")))
		verifier->from = field->value;
}

/* --- which signatures are evaluated ---------------------------------------------------------- */

/* From the second-last dot on: all of a name that may share its organizational domain has that end.
 */
static struct bytes last_two_labels(struct bytes domain)
{
	size_t dots = 0, i = domain.len;
	while (i > 0 && (domain.data[i - 1] != '.' || ++dots < 2))
		i--;
	return bytes_from(domain, i);
}

static bool may_align(const struct signature *s, const struct mailbox_domains *authors)
{
	for (unsigned i = 0; i < authors->n; i++)
		if (bytes_eq_nocase(
			    last_two_labels(authors->domain[i]), last_two_labels(s->sig.domain)))
			return true;
	return false;
}

static unsigned choose_some(
	struct dkim_verifier *verifier, unsigned n_chosen, const struct mailbox_domains *authors)
{
	for (unsigned i = 0; i < verifier->n && n_chosen < verifier->limits.signatures; i++) {
		struct signature *s = verifier->signature[i];
		if (s->final || s->chosen || (authors && !may_align(s, authors)))
			continue;
		s->chosen = true;
		n_chosen++;
	}
	return n_chosen;
}

static void choose(struct dkim_verifier *verifier)
{
	unsigned chosen = 0;
	if (verifier->n - verifier->n_final > verifier->limits.signatures) {
		struct mailbox_domains authors;
		enum mailbox_status status =
			mailbox_domains_parse(verifier->from, verifier->arena, &authors);
		if (status == MAILBOX_OK)
			chosen = choose_some(verifier, chosen, &authors);
	}
	choose_some(verifier, chosen, NULL);
}

static void begin(struct dkim_verifier *verifier, struct signature *s)
{
	uint8_t digest[32];
	const char *wrong =
		dkim_header_hash(&verifier->header, &s->sig, verifier->limits.header_bytes, digest);
	if (wrong) {
		finish(s, AUTH_POLICY, wrong);
		return;
	}
	s->stream = dkim_body_want(&verifier->body, s->sig.body, s->sig.body_length);
	if (!s->stream) {
		finish(s, AUTH_TEMPERROR, "no_memory");
		return;
	}
	s->wait = (struct dkim_body_wait){.hashed = consider, .owner = s};
	dkim_body_wait(s->stream, &s->wait);
	if (!s->check.asked)
		ask(s);
	dkim_check_digest(&s->check, digest);
}

void dkim_verifier_header_end(struct dkim_verifier *verifier)
{
	if (verifier->header_ended)
		return;
	verifier->header_ended = true;
	choose(verifier);
	for (unsigned i = 0; i < verifier->n; i++) {
		struct signature *s = verifier->signature[i];
		if (s->final)
			continue;
		if (s->chosen)
			begin(verifier, s);
		else
			finish(s, AUTH_POLICY, "too_many_signatures");
	}
}

void dkim_verifier_body(struct dkim_verifier *verifier, struct bytes bytes)
{
	dkim_body_feed(&verifier->body, bytes);
}

void dkim_verifier_body_end(struct dkim_verifier *verifier)
{
	dkim_verifier_header_end(verifier);
	dkim_body_end(&verifier->body);
}

bool dkim_verifier_done(const struct dkim_verifier *verifier)
{
	return verifier->header_ended && verifier->n_final == verifier->n;
}

void dkim_verifier_fini(struct dkim_verifier *verifier)
{
	dkim_body_cancel(&verifier->body);
	for (unsigned i = 0; i < verifier->n; i++)
		dkim_check_cancel(&verifier->signature[i]->check);
}

unsigned dkim_verifier_fields(const struct dkim_verifier *verifier)
{
	return verifier->n_fields;
}

unsigned dkim_verifier_count(const struct dkim_verifier *verifier)
{
	return verifier->n;
}

const struct dkim_result *dkim_verifier_result(const struct dkim_verifier *verifier, unsigned index)
{
	return index < verifier->n ? &verifier->signature[index]->result : NULL;
}

struct dkim_header *dkim_verifier_header(struct dkim_verifier *verifier)
{
	return &verifier->header;
}

struct dkim_body *dkim_verifier_bodies(struct dkim_verifier *verifier)
{
	return &verifier->body;
}
