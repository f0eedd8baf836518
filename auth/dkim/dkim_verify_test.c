/* Whole mails, signed here in every way, each run whole and octet by octet, with keys before and
 * after the body. */
#include "auth/dkim/dkim_harness.h"
#include "auth/dkim/dkim_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1790000000

enum which_key { RSA, ED, SMALL, OTHER, WHICH_KEYS };

static struct kit {
	struct dkim_signer *signer[WHICH_KEYS];
	char record[WHICH_KEYS][1024];
} kit;

/* rsa.pem of 512 bits: no signer of ours makes one. */
static const char small_record[] =
	"v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL/bhLDQwFTqWpQgyEmCK9AOdQhCbHYjlEtTUSOPyVS0"
	"0gVoLFXjlqqMLcWHMMGUdzGgwFsCkeLMwCYWqYvmPMECAwEAAQ==";

static int kit_make(void **state)
{
	(void)state;
	for (int i = 0; i < WHICH_KEYS; i++) {
		struct text record;
		text_init(&record, kit.record[i], sizeof(kit.record[i]));
		if (i == SMALL)
			text_put(&record, bytes_str(small_record));
		else if (dkim_signer_generate(i == ED ? 0 : 1024, &kit.signer[i]) < 0 ||
			 dkim_signer_record(kit.signer[i], &record) < 0)
			return -1;
		text_str(&record);
	}
	return 0;
}

static int kit_drop(void **state)
{
	(void)state;
	for (int i = 0; i < WHICH_KEYS; i++)
		dkim_signer_free(kit.signer[i]);
	return 0;
}

#define HEADERS                                                                                    \
	"From: Joe <joe@example.com>\r\nTo: Suzie <suzie@example.net>\r\nSubject: Hi  there\r\n"
#define BODY "Hi.\r\n\r\nWe lost the  game.\r\n\r\n"

/*
 * One signed mail and what becomes of it. `tags` stand in the field as they are; the hashes are
 * made by `names`, `canon` ("rs": relaxed header, simple body) and `length`, over `headers` and
 * `body`.
 */
struct mail_case {
	const char *title;
	const char *tags;
	enum auth_result result;
	const char *reason;
	/* defaults where zero: */
	const char *names; /* from:to:subject */
	const char *canon; /* ss */
	uint64_t length;   /* all */
	const char *headers, *got_headers, *body, *got_body;
	enum which_key key;  /* RSA */
	const char *records; /* several parted by "|"; R, E, S, O stand for the kit's; default: that
				of `key` */
	const char *flags;   /* put before p= of the key's record */
};

#define T "a=rsa-sha256; d=example.com; s=s; h=from:to:subject"

static const struct mail_case mail_cases[] = {
	{"simple", T, AUTH_PASS, NULL},
	{"relaxed", T "; c=relaxed/relaxed", AUTH_PASS, NULL, .canon = "rr",
		.got_headers = "FROM : Joe\r\n <joe@example.com>\t\r\nTo:Suzie  "
			       "<suzie@example.net>\r\nSubject: Hi there \r\n",
		.got_body = "Hi.  \r\n\r\nWe lost  the game.\r\n"},
	{"c=relaxed means a simple body", T "; c=relaxed", AUTH_PASS, NULL, .canon = "rs"},
	{"c=simple/relaxed", T "; c=simple/relaxed", AUTH_PASS, NULL, .canon = "sr"},
	{"c= unknown", T "; c=nofws", AUTH_NEUTRAL, "canonicalization_unknown"},
	{"ed25519", "a=ed25519-sha256; d=example.com; s=s; h=from:to:subject", AUTH_PASS, NULL,
		.key = ED},
	{"empty body, simple", T, AUTH_PASS, NULL, .body = "", .got_body = "\r\n\r\n"},
	{"empty body, relaxed", T "; c=simple/relaxed", AUTH_PASS, NULL, .canon = "sr", .body = "",
		.got_body = " \r\n\r\n"},
	{"trailing empty lines", T, AUTH_PASS, NULL, .got_body = BODY "\r\n\r\n\r\n"},
	{"changed body", T, AUTH_FAIL, "body_hash_mismatch", .got_body = "Hi.\r\n"},
	{"changed header", T, AUTH_FAIL, "signature_mismatch",
		.got_headers = "From: Joe <joe@example.com>\r\nTo: x\r\nSubject: Hi  there\r\n"},
	{"other key", T, AUTH_FAIL, "signature_mismatch", .records = "O"},
	{"unknown tags are ignored", T "; xyz=1; z=From:a|b", AUTH_PASS, NULL},

	/* fields */
	{"a repeated name takes fields from the bottom",
		"a=rsa-sha256; d=example.com; s=s; h=from:x:x", AUTH_PASS, NULL,
		.names = "from:x:x", .headers = "X: 1\r\nX: 2\r\n" HEADERS},
	{"order of repeated fields counts", "a=rsa-sha256; d=example.com; s=s; h=from:x:x",
		AUTH_FAIL, "signature_mismatch", .names = "from:x:x",
		.headers = "X: 1\r\nX: 2\r\n" HEADERS, .got_headers = "X: 2\r\nX: 1\r\n" HEADERS},
	{"a name repeated in other case is a repeated name",
		"a=rsa-sha256; d=example.com; s=s; h=From:X:x", AUTH_PASS, NULL,
		.names = "from:x:x", .headers = "X: 1\r\nX: 2\r\n" HEADERS},
	{"a field on top of those signed is not covered", T, AUTH_PASS, NULL,
		.got_headers = "Subject: other\r\n" HEADERS},
	{"an oversigned name lets no field be added",
		"a=rsa-sha256; d=example.com; s=s; h=from:subject:subject", AUTH_FAIL,
		"signature_mismatch", .names = "from:subject:subject",
		.got_headers = "Subject: other\r\n" HEADERS},
	{"an oversigned name passes as signed",
		"a=rsa-sha256; d=example.com; s=s; h=from:subject:subject:none", AUTH_PASS, NULL,
		.names = "from:subject:subject:none"},
	{"a second From on top is never covered", T, AUTH_POLICY, "from_not_signed",
		.got_headers = "From: x@evil.example\r\n" HEADERS},
	{"a second From with a blank before the colon", T, AUTH_POLICY, "from_not_signed",
		.got_headers = "From : x@evil.example\r\n" HEADERS},
	{"a second From below", T, AUTH_POLICY, "from_not_signed",
		.got_headers = HEADERS "fRoM: x@evil.example\r\n"},
	{"two signed From fields", "a=rsa-sha256; d=example.com; s=s; h=from:FROM", AUTH_PASS, NULL,
		.names = "from:from", .headers = "From: a@example.com\r\n" HEADERS},
	{"From not signed", "a=rsa-sha256; d=example.com; s=s; h=to:subject", AUTH_NEUTRAL,
		"from_not_signed", .names = "to:subject"},
	{"folding right after the colon", T "; c=relaxed", AUTH_PASS, NULL, .canon = "rs",
		.headers = "From:\r\n Joe <joe@example.com>\r\nTo: a\r\nSubject:\r\n\tx\r\n"},
	{"empty names in h=", "a=rsa-sha256; d=example.com; s=s; h=from::to:subject:", AUTH_PASS,
		NULL, .names = "from::to:subject:"},

	/* l= */
	{"l= over the whole body", T "; l=27", AUTH_PASS, NULL},
	{"l= with a tail", T "; l=5", AUTH_POLICY, "body_has_unsigned_tail", .length = 5},
	{"l= with appended content", T "; l=27", AUTH_POLICY, "body_has_unsigned_tail",
		.got_body = BODY "spam\r\n"},
	{"l= and only empty lines appended", T "; l=27", AUTH_PASS, NULL,
		.got_body = BODY "\r\n\r\n"},
	{"l=0", T "; l=0", AUTH_POLICY, "body_has_unsigned_tail", .length = 1},
	{"l= over what is there", T "; l=28", AUTH_FAIL, "body_shorter_than_length"},
	{"l= no number", T "; l=1x", AUTH_NEUTRAL, "length_malformed"},

	/* times */
	{"expired", T "; t=1700000000; x=1700000100", AUTH_FAIL, "expired"},
	{"not expired", T "; t=1700000000; x=1790000001", AUTH_PASS, NULL},
	{"expired within the skew of clocks", T "; x=1789999800", AUTH_PASS, NULL},
	{"x= no later than t=", T "; t=1790000000; x=1790000000", AUTH_NEUTRAL,
		"expiry_before_time"},
	{"x= far beyond any clock", T "; x=99999999999999999999999999", AUTH_PASS, NULL},
	{"signed tomorrow", T "; t=1790200000", AUTH_POLICY, "signed_in_the_future"},
	{"t= no number", T "; t=-1", AUTH_NEUTRAL, "time_malformed"},

	/* i= */
	{"i= of d=", T "; i=joe@example.com", AUTH_PASS, NULL},
	{"i= below d=", T "; i=@sub.EXAMPLE.com", AUTH_PASS, NULL},
	{"i= in quoted-printable", T "; i=a=2Bb=20=40example=2E\r\n com", AUTH_PASS, NULL},
	{"i= in bad quoted-printable", T "; i=a=2@example.com", AUTH_NEUTRAL, "identity_malformed"},
	{"i= that hides another domain", T "; i=@example.com=40evil.example", AUTH_NEUTRAL,
		"identity_not_below_domain"},
	{"i= elsewhere", T "; i=@example.org", AUTH_NEUTRAL, "identity_not_below_domain"},
	{"i= that only ends alike", T "; i=@notexample.com", AUTH_NEUTRAL,
		"identity_not_below_domain"},
	{"i= without @", T "; i=example.com", AUTH_NEUTRAL, "identity_malformed"},
	{"i= below d= and t=s", T "; i=@sub.example.com", AUTH_PERMERROR, "identity_not_domain",
		.flags = "t=s; "},
	{"i= of d= and t=s", T "; i=@example.com", AUTH_PASS, NULL, .flags = "t=y:s; "},

	/* fields that are no signatures */
	{"a= unknown", "a=rsa-md5; d=example.com; s=s; h=from", AUTH_NEUTRAL, "algorithm_unknown"},
	{"no a=", "d=example.com; s=s; h=from", AUTH_NEUTRAL, "algorithm_missing"},
	{"no d=", "a=rsa-sha256; s=s; h=from", AUTH_NEUTRAL, "domain_missing"},
	{"empty d=", "a=rsa-sha256; d=; s=s; h=from", AUTH_NEUTRAL, "domain_malformed"},
	{"no s=", "a=rsa-sha256; d=example.com; h=from", AUTH_NEUTRAL, "selector_missing"},
	{"no h=", "a=rsa-sha256; d=example.com; s=s", AUTH_NEUTRAL, "signed_fields_missing"},
	{"a tag twice", T "; d=example.com", AUTH_NEUTRAL, "duplicate_tag"},
	{"an empty tag", T "; ; t=1", AUTH_NEUTRAL, "syntax"},
	{"q= unknown", T "; q=http", AUTH_NEUTRAL, "query_unknown"},
	{"q= with dns/txt among others", T "; q=http:dns/txt", AUTH_PASS, NULL},
	{"a selector of several labels", "a=rsa-sha256; d=Example.COM; s=a.B; h=from", AUTH_PASS,
		NULL, .names = "from"},
	{"rsa-sha1", "a=rsa-sha1; d=example.com; s=s; h=from", AUTH_POLICY, "algorithm_too_weak"},

	/* keys */
	{"no record", T, AUTH_PERMERROR, "no_key", .records = ""},
	{"revoked", T, AUTH_PERMERROR, "key_revoked", .records = "v=DKIM1; p="},
	{"small", T, AUTH_POLICY, "key_too_small", .records = "S"},
	{"of another algorithm", T, AUTH_PERMERROR, "key_algorithm_mismatch", .records = "E"},
	{"for sha1 only", T, AUTH_PERMERROR, "key_disallows_hash", .flags = "h=sha1; "},
	{"not for mail", T, AUTH_PERMERROR, "key_not_for_email", .flags = "s=tlsrpt; "},
	{"the second of two records", T, AUTH_PASS, NULL, .records = "O|R"},
	{"of two, one revoked", T, AUTH_PASS, NULL, .records = "v=DKIM1; p=|R"},
	{"beside records of other kinds", T, AUTH_PASS, NULL, .records = "v=spf1 -all|x|y|z|w|R"},
	{"neither of two", T, AUTH_FAIL, "signature_mismatch", .records = "O|O"},
	{"of a server that fails", T, AUTH_TEMPERROR, "key_unavailable", .records = "!SERVFAIL"},
	{"of a server that is silent", T, AUTH_TEMPERROR, "key_unavailable", .records = "!TIMEOUT"},
};

static const char *or_default(const char *text, const char *other)
{
	return text ? text : other;
}

static void put_record(struct text *zone, const struct mail_case *c, struct bytes record)
{
	static const char letters[] = "RESO";
	const char *at = record.len == 1 ? strchr(letters, record.data[0]) : NULL;
	struct bytes text = at ? bytes_str(kit.record[at - letters]) : record;
	size_t p = bytes_find_bytes(text, BYTES("p="));

	for (const char *const *name = (const char *const[]){"s", "a.b", NULL}; *name; name++) {
		if (record.len && record.data[0] == '!') {
			text_printf(zone, "%s._domainkey.example.com. 60 IN %.*s TXT\n", *name,
				BYTES_FMT(bytes_from(record, 1)));
			continue;
		}
		/* Two strings, joined again by the reader. */
		text_printf(zone, "%s._domainkey.example.com. 60 IN TXT \"", *name);
		size_t head = p == BYTES_NPOS ? text.len : p;
		text_put(zone, bytes_slice(text, 0, head));
		text_put(zone, bytes_str(or_default(c->flags, "")));
		text_put(zone, bytes_slice(text, head, 100));
		text_put(zone, BYTES("\" \""));
		text_put(zone, bytes_from(text, head + 100));
		text_put(zone, BYTES("\"\n"));
	}
}

static struct dns_zone *make_zone(const struct mail_case *c)
{
	static const char *const of_key[] = {"R", "E", "S", "O"};
	struct bytes records = bytes_str(or_default(c->records, of_key[c->key]));
	char content[8192], why[256];
	struct text zone, reason;
	struct dns_zone *out;

	text_init(&zone, content, sizeof(content));
	text_init(&reason, why, sizeof(why));
	for (struct bytes record; records.len && bytes_split(&records, '|', &record);)
		put_record(&zone, c, record);
	text_put(&zone, BYTES("example.com. 60 IN TXT \"x\"\n"));
	if (dns_zone_parse(text_bytes(&zone), c->title, &out, &reason) < 0)
		fail_msg("%s", text_str(&reason));
	return out;
}

static void read_fields(struct dkim_header *header, const char *text)
{
	struct fields fields;
	struct field field;
	static uint8_t buffer[4096];
	struct bytes input = bytes_str(text);

	fields_init(&fields, buffer, sizeof(buffer));
	while (fields_feed(&fields, &input, &field) == FIELDS_FIELD)
		dkim_header_add(header, &field);
	while (fields_finish(&fields, &field) == FIELDS_FIELD)
		dkim_header_add(header, &field);
}

static enum dkim_canon canon_of(char letter)
{
	return letter == 'r' ? DKIM_RELAXED : DKIM_SIMPLE;
}

/* "DKIM-Signature: ...": signed over headers and body. */
static void put_signature(struct text *out, const struct mail_case *c)
{
	static struct slab blocks;
	struct arena arena;
	struct dkim_header header;
	char b[1024];
	struct text b_text;
	const char *canon = or_default(c->canon, "ss");
	size_t start = out->len;

	assert_int_equal(slab_init(&blocks, ARENA_BLOCK_SIZE, 16), 0);
	arena_init(&arena, &blocks, 16);
	dkim_header_init(&header, &arena);
	read_fields(&header, or_default(c->headers, HEADERS));
	text_init(&b_text, b, sizeof(b));
	text_printf(out, "DKIM-Signature: v=1; %s;\r\n bh=", c->tags);
	dkim_sign_body_hash(canon_of(canon[1]),
		c->length == 1 ? 0
		: c->length    ? c->length
			       : UINT64_MAX,
		bytes_str(or_default(c->body, BODY)), out);
	text_put(out, BYTES("; b="));
	assert_int_equal(dkim_sign_raw(kit.signer[c->key], &header, canon_of(canon[0]),
				 bytes_str(or_default(c->names, "from:to:subject")),
				 bytes_of(out->data + start, out->len - start), &b_text),
		0);
	text_put(out, text_bytes(&b_text));
	text_put(out, BYTES("\r\n"));
	arena_fini(&arena);
	slab_fini(&blocks);
}

static void check_case(const struct mail_case *c)
{
	static char buffer[16384];
	struct text message;
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(c);

	text_init(&message, buffer, sizeof(buffer));
	put_signature(&message, c);
	text_put(&message, bytes_str(or_default(c->got_headers, or_default(c->headers, HEADERS))));
	text_put(&message, BYTES("\r\n"));
	text_put(&message, bytes_str(or_default(c->got_body, or_default(c->body, BODY))));
	dkim_harness_init(&h, zone);
	h.now_unix_s = NOW;
	for (int run = 0; run < 4; run++) {
		h.portion = run & 1;
		h.keys_last = run & 2;
		dkim_harness_run(&h, text_bytes(&message));
		assert_int_equal(dkim_verifier_count(h.verifier), 1);
		const struct dkim_result *r = dkim_verifier_result(h.verifier, 0);
		bool same = c->reason ? r->reason && strcmp(c->reason, r->reason) == 0 : !r->reason;
		if (r->result != c->result || !same)
			fail_msg("%s (run %d): %s %s", c->title, run, auth_result_word(r->result),
				r->reason ? r->reason : "");
	}
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static void each_mail_gets_its_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mail_cases) / sizeof(mail_cases[0]); i++)
		check_case(&mail_cases[i]);
}

/* --- more than one signature ----------------------------------------------------------------- */

static const struct mail_case plain = {"several", T, AUTH_PASS, NULL};

/* `n` broken signatures of other domains above (and below) a good one. */
static void put_crowd(struct text *message, unsigned above, unsigned below)
{
	static const char other[] =
		"DKIM-Signature: v=1; a=rsa-sha256; d=x%u.example.org; s=s; h=from;\r\n"
		" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n";
	for (unsigned i = 0; i < above; i++)
		text_printf(message, other, i);
	put_signature(message, &plain);
	for (unsigned i = 0; i < below; i++)
		text_printf(message, other, above + i);
	text_put(message, BYTES(HEADERS "\r\n" BODY));
}

static void past_the_limit_those_that_may_align_go_first(void **state)
{
	static char buffer[65536];
	struct text message;
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(&plain);
	unsigned policy = 0, evaluated = 0;

	(void)state;
	text_init(&message, buffer, sizeof(buffer));
	put_crowd(&message, 40, 10);
	dkim_harness_init(&h, zone);
	dkim_harness_run(&h, text_bytes(&message));
	assert_int_equal(dkim_verifier_count(h.verifier), 51);
	assert_int_equal(dkim_verifier_result(h.verifier, 40)->result, AUTH_PASS);
	for (unsigned i = 0; i < 51; i++) {
		const struct dkim_result *r = dkim_verifier_result(h.verifier, i);
		policy += r->result == AUTH_POLICY && strcmp(r->reason, "too_many_signatures") == 0;
		evaluated += r->result == AUTH_FAIL;
	}
	assert_int_equal(evaluated, h.limits.signatures - 1);
	assert_int_equal(policy, 51 - h.limits.signatures);
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static void hundreds_of_signatures_are_counted_and_bounded(void **state)
{
	static char buffer[200000];
	struct text message;
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(&plain);

	(void)state;
	text_init(&message, buffer, sizeof(buffer));
	put_crowd(&message, 0, 600);
	assert_false(message.overflow);
	dkim_harness_init(&h, zone);
	dkim_harness_run(&h, text_bytes(&message));
	assert_int_equal(dkim_verifier_fields(h.verifier), 601);
	assert_int_equal(dkim_verifier_count(h.verifier), DKIM_MAX_SIGNATURES);
	assert_int_equal(dkim_verifier_result(h.verifier, 0)->result, AUTH_PASS);
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static void a_huge_list_of_names_is_refused(void **state)
{
	static char buffer[65536];
	struct text message;
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(&plain);

	(void)state;
	text_init(&message, buffer, sizeof(buffer));
	text_put(
		&message, BYTES("DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; b=AAAA;\r\n"
				" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; h=from"));
	for (int i = 0; i < 20000; i++)
		text_put(&message, BYTES(":a"));
	text_put(&message, BYTES("\r\n" HEADERS "\r\n" BODY));
	dkim_harness_init(&h, zone);
	dkim_harness_run(&h, text_bytes(&message));
	assert_string_equal(dkim_verifier_result(h.verifier, 0)->reason, "too_many_signed_fields");
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static void names_a_signature_by_its_first_octets_unfolded(void **state)
{
	static const char message[] =
		"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; h=from;\r\n"
		" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AB\r\n\tCD EFGHIJKL\r\n"
		"From: a@example.com\r\n\r\n";
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(&plain);

	(void)state;
	dkim_harness_init(&h, zone);
	dkim_harness_run(&h, bytes_str(message));
	assert_true(bytes_eq(dkim_verifier_result(h.verifier, 0)->b, BYTES("ABCDEFGH")));
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static void a_tail_may_be_allowed(void **state)
{
	static char buffer[4096];
	static const struct mail_case tail = {"tail", T "; l=5", AUTH_PASS, NULL, .length = 5};
	struct text message;
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(&plain);

	(void)state;
	text_init(&message, buffer, sizeof(buffer));
	put_signature(&message, &tail);
	text_put(&message, BYTES(HEADERS "\r\n" BODY));
	dkim_harness_init(&h, zone);
	h.limits.body_tail = true;
	dkim_harness_run(&h, text_bytes(&message));
	assert_int_equal(dkim_verifier_result(h.verifier, 0)->result, AUTH_PASS);
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static void signatures_that_hash_alike_share_one_hash(void **state)
{
	static char buffer[16384];
	struct text message;
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(&plain);

	(void)state;
	text_init(&message, buffer, sizeof(buffer));
	put_signature(&message, &plain);
	put_signature(&message, &plain);
	put_signature(&message, &plain);
	text_put(&message, BYTES(HEADERS "\r\n" BODY));
	dkim_harness_init(&h, zone);
	dkim_harness_run(&h, text_bytes(&message));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dkim_verifier_result(h.verifier, i)->result, AUTH_PASS);
	const struct counter_block *counters = crypto_counters(h.queue);
	assert_int_equal(
		counter_get(&counters->values[CRYPTO_HASHED_OCTETS]), sizeof(BODY) - 1 - 2);
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static void what_the_tool_signs_verifies(void **state)
{
	static char buffer[8192];
	struct text message;
	const struct bytes mail = BYTES(HEADERS "\r\n" BODY);

	(void)state;
	for (int key = RSA; key <= ED; key++) {
		const struct dkim_sign_options options = {.domain = BYTES("example.com"),
			.selector = BYTES("s"),
			.header = DKIM_RELAXED,
			.body = DKIM_RELAXED,
			.now_unix_s = NOW};
		struct mail_case c = plain;
		struct dkim_harness h;
		c.key = (enum which_key)key;
		struct dns_zone *zone = make_zone(&c);
		text_init(&message, buffer, sizeof(buffer));
		assert_int_equal(dkim_sign(kit.signer[key], &options, mail, &message), 0);
		text_put(&message, mail);
		dkim_harness_init(&h, zone);
		dkim_harness_run(&h, text_bytes(&message));
		assert_int_equal(dkim_verifier_result(h.verifier, 0)->result, AUTH_PASS);
		dkim_harness_fini(&h);
		dns_zone_free(zone);
	}
}

/* A mail that ends in the middle takes its jobs back from the queue. */
static void ends_at_any_point(void **state)
{
	static char buffer[8192];
	struct text message;
	struct dkim_harness h;
	struct dns_zone *zone = make_zone(&plain);

	(void)state;
	text_init(&message, buffer, sizeof(buffer));
	put_signature(&message, &plain);
	text_put(&message, BYTES(HEADERS "\r\n"));
	dkim_harness_init(&h, zone);
	dkim_harness_run(&h, text_bytes(&message));
	for (int stage = 0; stage < 3; stage++) {
		struct fields fields;
		struct field field;
		struct bytes input = text_bytes(&message);
		dns_asks_fini(&h.asks);
		arena_reset(&h.arena);
		dns_asks_init(&h.asks, &h.arena);
		h.verifier = dkim_verifier_new(&h.arena, &h.asks, h.queue, &h.limits, NOW);
		fields_init(&fields, h.header, DKIM_HARNESS_HEADER_MAX);
		while (fields_feed(&fields, &input, &field) == FIELDS_FIELD)
			dkim_verifier_field(h.verifier, &field);
		if (stage > 0)
			dkim_verifier_header_end(h.verifier);
		dkim_harness_answer(&h);
		if (stage > 1)
			dkim_verifier_body(h.verifier, BYTES(BODY));
		dkim_verifier_fini(h.verifier);
		h.verifier = NULL;
		assert_int_equal(crypto_pending(h.queue), 0);
	}
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mail_gets_its_result),
		cmocka_unit_test(past_the_limit_those_that_may_align_go_first),
		cmocka_unit_test(hundreds_of_signatures_are_counted_and_bounded),
		cmocka_unit_test(a_huge_list_of_names_is_refused),
		cmocka_unit_test(names_a_signature_by_its_first_octets_unfolded),
		cmocka_unit_test(a_tail_may_be_allowed),
		cmocka_unit_test(signatures_that_hash_alike_share_one_hash),
		cmocka_unit_test(what_the_tool_signs_verifies),
		cmocka_unit_test(ends_at_any_point),
	};
	return cmocka_run_group_tests(tests, kit_make, kit_drop);
}
