#include "auth/dkim/dkim_sign.h"
#include "auth/pipeline_harness.h"
#include "auth/trace_format.h"
#include "base/counters.h"
#include "base/epoch.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define TXT(name, text) name ". 60 IN TXT \"" text "\"\n"
#define NOW             1700000000u

/* --- a mail that has everything --- */

static const char plain[] = "Received: from a by b; date\r\n"
			    "From: \"x@other.org\" <user@mail.example.com>\r\n"
			    "Subject: test\r\n"
			    "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
			    "\r\n"
			    "Hello\r\n.\r\n\r\n";

static char signed_mail[4096], zone_text[4096];
static struct dns_zone *zone;

static const char base_zone[] =
	TXT("example.com", "v=spf1 ip4:192.0.2.1 mx -all") TXT("_dmarc.example.com",
		"v=DMARC1; p=reject") "example.com. 60 IN MX 10 mx.example.com.\n"
				      "mx.example.com. 60 IN A 192.0.2.9\n"
				      "1.2.0.192.in-addr.arpa. 60 IN PTR mx.example.com.\n"
				      "1.2.0.192.in-addr.arpa. 60 IN PTR out.example.com.\n"
				      "out.example.com. 60 IN A 192.0.2.1\n";

static int make_mail(void **state)
{
	struct dkim_signer *signer;
	char record[512], field[1024];
	struct text text;
	struct dkim_sign_options options = {.domain = BYTES("example.com"),
		.selector = BYTES("sel"),
		.header = DKIM_RELAXED,
		.body = DKIM_RELAXED,
		.now_unix_s = NOW};
	(void)state;

	assert_int_equal(dkim_signer_generate(0, &signer), 0);
	text_init(&text, record, sizeof(record));
	assert_int_equal(dkim_signer_record(signer, &text), 0);
	text_str(&text);
	text_init(&text, field, sizeof(field));
	assert_int_equal(dkim_sign(signer, &options, bytes_str(plain), &text), 0);
	snprintf(signed_mail, sizeof(signed_mail), "%s%s", text_str(&text), plain);
	snprintf(zone_text, sizeof(zone_text), "%ssel._domainkey.example.com. 60 IN TXT \"%s\"\n",
		base_zone, record);
	dkim_signer_free(signer);
	zone = pipeline_harness_zone(zone_text);
	return 0;
}

static int free_mail(void **state)
{
	(void)state;
	dns_zone_free(zone);
	return 0;
}

static struct auth_envelope envelope_of(const char *client, const char *helo, const char *mail_from)
{
	struct auth_envelope envelope = {
		.helo = bytes_str(helo),
		.mail_from = bytes_str(mail_from),
		.now_unix_s = NOW,
	};

	assert_int_equal(ip_addr_parse(bytes_str(client), &envelope.client), 0);
	return envelope;
}

static struct auth_envelope usual_envelope(void)
{
	return envelope_of("192.0.2.1", "out.example.com", "bounce@example.com");
}

static struct auth_config test_config(void)
{
	struct auth_config config = auth_config_default;

	config.authserv_id = "gate.example.net";
	config.hostname = "gate.example.net";
	config.max_mails = 4;
	return config;
}

static void start(struct pipeline_harness *h, const struct dns_zone *answers)
{
	struct auth_config config = test_config();

	pipeline_harness_init(h, &config, answers);
}

/* --- verdicts --- */

static void the_verdict_is_the_same_however_the_mail_and_the_answers_come(void **state)
{
	static const size_t portions[] = {0, 1, 7};
	struct auth_envelope envelope = usual_envelope();
	(void)state;

	for (size_t i = 0; i < sizeof(portions) / sizeof(portions[0]); i++) {
		for (int order = 0; order <= PIPELINE_AFTER_CONTENT; order++) {
			struct pipeline_harness h;
			enum auth_feed fed;
			start(&h, zone);
			h.portion = portions[i];
			h.order = (enum pipeline_order)order;
			struct auth_mail *mail =
				pipeline_harness_run(&h, &envelope, bytes_str(signed_mail), &fed);
			assert_non_null(mail);
			assert_ptr_equal(auth_engine_next_ready(h.engine), mail);
			assert_null(auth_engine_next_ready(h.engine));
			const struct auth_verdict *verdict = auth_mail_verdict(mail);
			assert_int_equal(verdict->spf.result, AUTH_PASS);
			assert_int_equal(verdict->spf.scope, SPF_MFROM);
			assert_int_equal(verdict->helo.result, AUTH_NONE);
			assert_int_equal(verdict->iprev.result, AUTH_PASS);
			assert_true(bytes_eq(verdict->iprev.name, BYTES("out.example.com")));
			assert_int_equal(verdict->n_dkim, 1);
			assert_int_equal(verdict->dkim[0].result, AUTH_PASS);
			assert_int_equal(verdict->dmarc.result, AUTH_PASS);
			assert_int_equal(verdict->dmarc.policy, DMARC_POLICY_REJECT);
			assert_true(bytes_eq(verdict->dmarc.org_domain, BYTES("example.com")));
			assert_false(verdict->temporary);
			struct bytes field = verdict->authentication_results;
			assert_true(bytes_starts_nocase(
				field, BYTES("Authentication-Results: gate.example.net;")));
			assert_true(bytes_ends_nocase(field, BYTES("\r\n")));
			auth_mail_end(mail);
			pipeline_harness_fini(&h);
		}
	}
}

static const struct auth_verdict *verdict_of(struct pipeline_harness *h,
	const struct auth_envelope *envelope, const char *message, struct auth_mail **mail)
{
	enum auth_feed fed;

	*mail = pipeline_harness_run(h, envelope, bytes_str(message), &fed);
	assert_non_null(*mail);
	return auth_mail_verdict(*mail);
}

static void an_altered_mail_from_elsewhere_fails(void **state)
{
	struct auth_envelope envelope = envelope_of("192.0.2.66", "x.org", "bounce@example.com");
	struct pipeline_harness h;
	struct auth_mail *mail;
	char altered[sizeof(signed_mail) + 8];
	(void)state;

	snprintf(altered, sizeof(altered), "%s more\r\n", signed_mail);
	start(&h, zone);
	const struct auth_verdict *verdict = verdict_of(&h, &envelope, altered, &mail);
	assert_int_equal(verdict->spf.result, AUTH_FAIL);
	assert_int_equal(verdict->dkim[0].result, AUTH_FAIL);
	assert_int_equal(verdict->dmarc.result, AUTH_FAIL);
	assert_int_equal(verdict->iprev.result, AUTH_PERMERROR);
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
}

static void the_null_sender_is_judged_by_its_helo(void **state)
{
	struct auth_envelope envelope = envelope_of("192.0.2.1", "example.com", "");
	struct pipeline_harness h;
	struct auth_mail *mail;
	(void)state;

	start(&h, zone);
	const struct auth_verdict *verdict = verdict_of(&h, &envelope, plain, &mail);
	assert_int_equal(verdict->spf.scope, SPF_HELO);
	assert_int_equal(verdict->spf.result, AUTH_PASS);
	assert_int_equal(verdict->dmarc.result, AUTH_PASS);
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
}

static void only_one_author_domain_is_evaluated(void **state)
{
	static const struct {
		const char *header;
		enum auth_result result;
		unsigned fields, domains;
	} cases[] = {
		{"Subject: x\r\n", AUTH_NONE, 0, 0},
		{"From: a@example.com\r\n", AUTH_PASS, 1, 1},
		{"From : a@example.com\r\n", AUTH_PASS, 1, 1},
		{"From:\r\n a@example.com\r\n", AUTH_PASS, 1, 1},
		{"From: a@example.com, b@EXAMPLE.com\r\n", AUTH_PASS, 1, 1},
		{"From: a@example.com\r\nFrom: a@example.com\r\n", AUTH_PERMERROR, 2, 1},
		{"from: a@example.com\r\nFROM : a@other.org\r\n", AUTH_PERMERROR, 2, 1},
		{"From: a@example.com, b@other.org\r\n", AUTH_PERMERROR, 1, 2},
		{"From: undisclosed:;\r\n", AUTH_NONE, 1, 0},
	};
	struct auth_envelope envelope = usual_envelope();
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pipeline_harness h;
		struct auth_mail *mail;
		char message[256];
		snprintf(message, sizeof(message), "%s\r\nbody\r\n", cases[i].header);
		start(&h, zone);
		h.portion = i % 3;
		const struct auth_dmarc *dmarc = &verdict_of(&h, &envelope, message, &mail)->dmarc;
		if (dmarc->result != cases[i].result || dmarc->from_fields != cases[i].fields ||
			dmarc->from_domains != cases[i].domains)
			fail_msg("%s: %s, %u fields, %u domains", cases[i].header,
				auth_result_word(dmarc->result), dmarc->from_fields,
				dmarc->from_domains);
		assert_int_equal(dmarc->has_from_domain, cases[i].result == AUTH_PASS);
		auth_mail_end(mail);
		pipeline_harness_fini(&h);
	}
}

static void a_failed_look_up_is_temporary_only_where_it_matters(void **state)
{
	static const struct {
		const char *zone;
		enum auth_result dmarc;
		bool temporary;
	} cases[] = {
		{"example.com. 60 IN TIMEOUT TXT\n" TXT("_dmarc.example.com", "v=DMARC1; p=reject"),
			AUTH_TEMPERROR, true},
		{"example.com. 60 IN TIMEOUT TXT\n" TXT("_dmarc.example.com", "v=DMARC1; p=none"),
			AUTH_TEMPERROR, false},
		{"_dmarc.example.com. 60 IN SERVFAIL TXT\n", AUTH_TEMPERROR, true},
		{"example.com. 60 IN TIMEOUT TXT\n", AUTH_NONE, true},
		{"1.2.0.192.in-addr.arpa. 60 IN TIMEOUT PTR\n"
		 "out.example.com. 60 IN TIMEOUT TXT\n",
			AUTH_NONE, false},
	};
	struct auth_envelope envelope = usual_envelope();
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns_zone *answers = pipeline_harness_zone(cases[i].zone);
		struct pipeline_harness h;
		struct auth_mail *mail;
		start(&h, answers);
		const struct auth_verdict *verdict =
			verdict_of(&h, &envelope, "From: a@example.com\r\n\r\n", &mail);
		if (verdict->dmarc.result != cases[i].dmarc ||
			verdict->temporary != cases[i].temporary)
			fail_msg("%s: %s %d", cases[i].zone,
				auth_result_word(verdict->dmarc.result), verdict->temporary);
		auth_mail_end(mail);
		pipeline_harness_fini(&h);
		dns_zone_free(answers);
	}
}

/* Time-out, failure, or refused by DNSSEC: what would have been there is not known. */
static void no_kind_of_failure_is_a_verdict(void **state)
{
	static const enum dns_outcome outcomes[] = {DNS_SERVFAIL, DNS_TIMEOUT, DNS_BOGUS};
	struct auth_envelope envelope = usual_envelope();
	(void)state;

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		struct pipeline_harness h;
		struct auth_mail *mail;
		start(&h, zone);
		h.failing = outcomes[i];
		const struct auth_verdict *verdict = verdict_of(&h, &envelope, signed_mail, &mail);
		assert_true(verdict->temporary);
		assert_int_equal(verdict->spf.result, AUTH_TEMPERROR);
		assert_int_equal(verdict->helo.result, AUTH_TEMPERROR);
		assert_int_equal(verdict->iprev.result, AUTH_TEMPERROR);
		assert_int_equal(verdict->dmarc.result, AUTH_TEMPERROR);
		assert_int_equal(verdict->dkim[0].result, AUTH_TEMPERROR);
		auth_mail_end(mail);
		pipeline_harness_fini(&h);
	}
}

/* --- questions --- */

static bool next_is(struct pipeline_harness *h, uint16_t type, const char *name)
{
	struct dns_question question;
	struct auth_ref ref;
	uint32_t index;

	return auth_engine_next_question(h->engine, &ref, &index, &question) &&
	       question.type == type && strcmp(question.name, name) == 0;
}

static bool nothing_is_asked(struct pipeline_harness *h)
{
	struct dns_question question;
	struct auth_ref ref;
	uint32_t index;

	return !auth_engine_next_question(h->engine, &ref, &index, &question);
}

static void look_ups_start_as_early_as_the_bytes_allow(void **state)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	(void)state;

	start(&h, zone);
	struct auth_mail *mail = auth_mail_begin(h.engine, &envelope, 1);
	assert_true(next_is(&h, DNS_TXT, "out.example.com"));
	assert_true(next_is(&h, DNS_TXT, "example.com"));
	assert_true(next_is(&h, DNS_PTR, "1.2.0.192.in-addr.arpa"));
	assert_true(nothing_is_asked(&h));
	auth_mail_content(mail, BYTES("From: a@example.com\r\n"), 2);
	assert_true(nothing_is_asked(&h)); /* it may be folded yet */
	auth_mail_content(mail, BYTES("D"), 3);
	assert_true(next_is(&h, DNS_TXT, "_dmarc.example.com"));
	assert_true(next_is(&h, DNS_TXT, "_dmarc.com"));
	assert_true(nothing_is_asked(&h));
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
}

static void a_mail_asks_the_same_question_once(void **state)
{
	struct auth_envelope envelope = envelope_of("192.0.2.1", "example.com", "a@EXAMPLE.com");
	struct pipeline_harness h;
	struct auth_mail *mail;
	(void)state;

	start(&h, zone);
	const struct auth_verdict *verdict = verdict_of(&h, &envelope, "Subject: x\r\n\r\n", &mail);
	assert_int_equal(verdict->spf.result, AUTH_PASS);
	assert_int_equal(verdict->helo.result, AUTH_PASS);
	assert_int_equal(h.questions, 4); /* TXT, PTR, and the addresses of its two names */
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
}

static void cached_answers_need_no_question(void **state)
{
	struct auth_config config = test_config();
	struct dns_cache_config cache_config = dns_cache_config_default;
	struct auth_envelope envelope = usual_envelope();
	static struct epoch epoch;
	struct dns_cache *cache;
	(void)state;

	cache_config.max_bytes = 1 << 20;
	assert_int_equal(epoch_init(&epoch, 1), 0);
	assert_int_equal(dns_cache_new(&cache_config, &epoch, &cache), 0);
	for (int round = 0; round < 2; round++) {
		struct pipeline_harness h = {.now_us = 1000};
		struct dns_question question;
		struct auth_ref ref;
		uint32_t index;
		unsigned asked = 0;
		assert_int_equal(
			auth_engine_new(&config, cache, epoch_reader_at(&epoch, 0), &h.engine), 0);
		struct auth_mail *mail = auth_mail_begin(h.engine, &envelope, h.now_us);
		auth_mail_content(mail, bytes_str(signed_mail), h.now_us);
		auth_mail_content_end(mail, h.now_us);
		for (int turn = 0; turn < 8; turn++) {
			while (auth_engine_next_question(h.engine, &ref, &index, &question)) {
				const struct dns_answer *answer =
					dns_zone_answer(zone, &auth_dns_parsers, &question);
				asked++;
				dns_cache_put(cache, &question, answer, h.now_us);
				auth_engine_answer(h.engine, ref, index, answer, h.now_us);
				dns_answer_release(answer);
			}
			auth_engine_run(h.engine, h.now_us, true, UINT32_MAX);
		}
		assert_non_null(auth_mail_verdict(mail));
		assert_int_equal(auth_mail_verdict(mail)->dmarc.result, AUTH_PASS);
		if (round == 0)
			assert_true(asked > 0);
		else
			assert_int_equal(asked, 0);
		auth_mail_end(mail);
		auth_engine_free(h.engine);
	}
	dns_cache_free(cache);
	epoch_fini(&epoch);
}

static void answers_for_a_mail_that_is_gone_are_dropped(void **state)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	struct dns_question question;
	struct auth_ref ref;
	uint32_t index;
	(void)state;

	start(&h, zone);
	struct auth_mail *first = auth_mail_begin(h.engine, &envelope, 1);
	assert_true(auth_engine_next_question(h.engine, &ref, &index, &question));
	auth_mail_end(first);
	struct auth_mail *second = auth_mail_begin(h.engine, &envelope, 2);
	assert_int_equal(auth_mail_ref(second).slot, ref.slot);
	auth_engine_answer(h.engine, ref, index, dns_answer_failure(DNS_TIMEOUT), 3);
	auth_engine_answer(
		h.engine, (struct auth_ref){99999, 1}, 0, dns_answer_failure(DNS_TIMEOUT), 3);
	auth_engine_answer(
		h.engine, auth_mail_ref(second), 99999, dns_answer_failure(DNS_TIMEOUT), 3);
	pipeline_harness_content(&h, second, bytes_str(plain));
	auth_mail_content_end(second, 4);
	pipeline_harness_answer(&h);
	assert_int_equal(auth_mail_verdict(second)->spf.result, AUTH_PASS);
	auth_mail_end(second);
	pipeline_harness_fini(&h);
}

static void giving_up_counts_what_is_open_as_timed_out(void **state)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	struct dns_question question;
	struct auth_ref ref;
	uint32_t index;
	(void)state;

	start(&h, zone);
	struct auth_mail *mail = auth_mail_begin(h.engine, &envelope, 1);
	assert_true(auth_engine_next_question(h.engine, &ref, &index, &question));
	auth_mail_content(mail, bytes_str(signed_mail), 2);
	auth_mail_content_end(mail, 3);
	auth_engine_run(h.engine, 4, true, UINT32_MAX);
	assert_null(auth_mail_verdict(mail));
	auth_mail_give_up(mail, 5);
	const struct auth_verdict *verdict = auth_mail_verdict(mail);
	assert_non_null(verdict);
	assert_int_equal(verdict->spf.result, AUTH_TEMPERROR);
	assert_int_equal(verdict->dkim[0].result, AUTH_TEMPERROR);
	assert_int_equal(verdict->dmarc.result, AUTH_TEMPERROR);
	assert_true(verdict->temporary);
	/* an answer that comes after all changes nothing, nor is anything asked any more */
	auth_engine_answer(h.engine, ref, index, dns_answer_failure(DNS_NXDOMAIN), 6);
	assert_int_equal(auth_mail_verdict(mail)->spf.result, AUTH_TEMPERROR);
	assert_true(nothing_is_asked(&h));
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
}

static void iprev_and_helo_are_not_waited_for_longer_than_they_are_worth(void **state)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	struct dns_question question;
	struct auth_ref ref;
	uint32_t index;
	(void)state;

	start(&h, zone);
	struct auth_mail *mail = auth_mail_begin(h.engine, &envelope, 1);
	auth_mail_content(mail, bytes_str(signed_mail), 2);
	auth_mail_content_end(mail, 3);
	auth_engine_run(h.engine, 4, true, UINT32_MAX);
	assert_int_equal(auth_engine_deadline_us(h.engine), UINT64_MAX);
	while (auth_engine_next_question(h.engine, &ref, &index, &question)) {
		if (question.type == DNS_PTR)
			continue;
		const struct dns_answer *answer =
			dns_zone_answer(zone, &auth_dns_parsers, &question);
		auth_engine_answer(h.engine, ref, index, answer, 5);
		dns_answer_release(answer);
		auth_engine_run(h.engine, 5, true, UINT32_MAX);
	}
	/* all but the client's name is known */
	assert_null(auth_mail_verdict(mail));
	uint64_t deadline_us = auth_engine_deadline_us(h.engine);
	assert_int_equal(deadline_us, 5 + auth_config_default.secondary_wait_ms * 1000);
	auth_engine_run(h.engine, deadline_us - 1, true, UINT32_MAX);
	assert_null(auth_engine_next_ready(h.engine));
	auth_engine_run(h.engine, deadline_us, true, UINT32_MAX);
	assert_ptr_equal(auth_engine_next_ready(h.engine), mail);
	assert_int_equal(auth_mail_verdict(mail)->iprev.result, AUTH_TEMPERROR);
	assert_int_equal(auth_mail_verdict(mail)->dmarc.result, AUTH_PASS);
	assert_int_equal(auth_engine_deadline_us(h.engine), UINT64_MAX);
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
}

/* --- the header section --- */

static void fields_that_claim_our_name_are_cut(void **state)
{
	static const char message[] =
		"Authentication-Results: other.net; spf=pass\r\n"
		"Authentication-Results : (c) GATE.example.net ; dmarc=pass\r\n"
		"x-postern-foo: 1\r\n"
		"\t2\r\n"
		"From: a@example.com\r\n"
		"X-Posternal: stays\r\n"
		"AUTHENTICATION-RESULTS:\r\n gate.example.net 1;\r\n spf=pass\r\n"
		"\r\n"
		"X-Postern-Body: stays\r\n";
	static const char expected[] = "Authentication-Results: other.net; spf=pass\r\n"
				       "From: a@example.com\r\n"
				       "X-Posternal: stays\r\n"
				       "\r\n"
				       "X-Postern-Body: stays\r\n";
	struct auth_envelope envelope = usual_envelope();
	(void)state;

	for (size_t portion = 0; portion < 3; portion++) {
		struct pipeline_harness h;
		struct auth_mail *mail;
		struct auth_cut cuts[AUTH_MAX_CUTS];
		char left[sizeof(message)];
		size_t at = 0, len = 0;
		start(&h, zone);
		h.portion = portion;
		verdict_of(&h, &envelope, message, &mail);
		unsigned n = auth_mail_cuts(mail, cuts, AUTH_MAX_CUTS);
		assert_int_equal(n, 3);
		for (unsigned i = 0; i < n; i++) {
			memcpy(left + len, message + at, cuts[i].from - at);
			len += cuts[i].from - at;
			at = cuts[i].to;
		}
		memcpy(left + len, message + at, sizeof(message) - at);
		assert_string_equal(left, expected);
		auth_mail_end(mail);
		pipeline_harness_fini(&h);
	}
}

static enum auth_feed fed_by(const char *field, unsigned times, const struct auth_config *config)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	enum auth_feed fed = AUTH_FEED_OK;

	pipeline_harness_init(&h, config, zone);
	struct auth_mail *mail = auth_mail_begin(h.engine, &envelope, 1);
	for (unsigned i = 0; i < times && fed == AUTH_FEED_OK; i++)
		fed = auth_mail_content(mail, bytes_str(field), 2);
	if (fed == AUTH_FEED_OK)
		fed = auth_mail_content_end(mail, 3);
	/* an error stays */
	assert_int_equal(auth_mail_content(mail, BYTES("x"), 4), fed);
	assert_int_equal(auth_mail_content_end(mail, 4), fed);
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
	return fed;
}

static void header_sections_have_limits(void **state)
{
	struct auth_config config = test_config();
	(void)state;

	config.max_received = 5;
	config.max_header_bytes = 4096;
	assert_int_equal(fed_by("Received: x\r\n", 5, &config), AUTH_FEED_OK);
	assert_int_equal(fed_by("Received: x\r\n", 6, &config), AUTH_FEED_LOOP);
	assert_int_equal(fed_by("A: 78901234\r\n", 315, &config), AUTH_FEED_OK);
	assert_int_equal(fed_by("A: 78901234\r\n", 316, &config), AUTH_FEED_HEADER_TOO_LARGE);
	assert_int_equal(fed_by("X-Postern-A: x\r\n", AUTH_MAX_CUTS, &config), AUTH_FEED_OK);
	assert_int_equal(fed_by("X-Postern-A: x\r\n", AUTH_MAX_CUTS + 1, &config),
		AUTH_FEED_HEADER_TOO_LARGE);
}

/* --- ends --- */

static void a_mail_may_end_at_any_point(void **state)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	size_t len = strlen(signed_mail);
	(void)state;

	start(&h, zone);
	for (size_t at = 0; at <= len; at += 13) {
		struct auth_mail *mail = auth_mail_begin(h.engine, &envelope, h.now_us++);
		assert_non_null(mail);
		auth_mail_content(mail, bytes_of(signed_mail, at), h.now_us++);
		if (at % 2)
			pipeline_harness_answer(&h);
		if (at % 3)
			auth_mail_content_end(mail, h.now_us++);
		auth_mail_end(mail);
		auth_engine_run(h.engine, h.now_us++, at % 5, UINT32_MAX);
	}
	assert_null(auth_engine_next_ready(h.engine));
	pipeline_harness_fini(&h);
}

static void no_more_mails_than_allowed_are_open(void **state)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	struct auth_mail *mails[4];
	(void)state;

	start(&h, zone);
	for (int i = 0; i < 4; i++) {
		mails[i] = auth_mail_begin(h.engine, &envelope, 1);
		assert_non_null(mails[i]);
		auth_mail_set_user(mails[i], &mails[i]);
	}
	assert_null(auth_mail_begin(h.engine, &envelope, 1));
	assert_ptr_equal(auth_mail_user(mails[2]), &mails[2]);
	auth_mail_end(mails[2]);
	assert_non_null(auth_mail_begin(h.engine, &envelope, 1));
	pipeline_harness_fini(&h); /* with mails open */
}

static void the_trace_tells_questions_and_answers_in_order(void **state)
{
	struct auth_envelope envelope = usual_envelope();
	struct pipeline_harness h;
	struct auth_mail *mail;
	uint8_t record[4096];
	char room[16384];
	struct trace_writer w;
	struct text text;
	(void)state;

	start(&h, zone);
	verdict_of(&h, &envelope, signed_mail, &mail);
	trace_begin(&w, record, sizeof(record));
	auth_mail_trace(mail, &w);
	text_init(&text, room, sizeof(room));
	trace_format_text(trace_record(&w), &text);
	struct bytes trace = text_bytes(&text);
	size_t asked = bytes_find_bytes(trace, BYTES("ask TXT example.com\n"));
	size_t answered = bytes_find_bytes(trace, BYTES("answer TXT example.com ok \"v=spf1 ip4:"));
	size_t verdict = bytes_find_bytes(trace, BYTES(" verdict spf=pass"));
	assert_true(asked < answered && answered < verdict && verdict != BYTES_NPOS);
	assert_true(
		bytes_find_bytes(trace, BYTES("dkim verified sel.example.com: pass\n")) < verdict);
	assert_int_equal(w.lost, 0);
	/* what does not fit is left out whole, and counted */
	trace_begin(&w, record, 100);
	auth_mail_trace(mail, &w);
	assert_true(w.lost > 0 && w.len <= 100);
	text_reset(&text);
	trace_format_text(trace_record(&w), &text);
	assert_int_equal(text.data[text.len - 1], '\n');
	auth_mail_end(mail);
	pipeline_harness_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_is_the_same_however_the_mail_and_the_answers_come),
		cmocka_unit_test(an_altered_mail_from_elsewhere_fails),
		cmocka_unit_test(the_null_sender_is_judged_by_its_helo),
		cmocka_unit_test(only_one_author_domain_is_evaluated),
		cmocka_unit_test(a_failed_look_up_is_temporary_only_where_it_matters),
		cmocka_unit_test(no_kind_of_failure_is_a_verdict),
		cmocka_unit_test(look_ups_start_as_early_as_the_bytes_allow),
		cmocka_unit_test(a_mail_asks_the_same_question_once),
		cmocka_unit_test(cached_answers_need_no_question),
		cmocka_unit_test(answers_for_a_mail_that_is_gone_are_dropped),
		cmocka_unit_test(giving_up_counts_what_is_open_as_timed_out),
		cmocka_unit_test(iprev_and_helo_are_not_waited_for_longer_than_they_are_worth),
		cmocka_unit_test(fields_that_claim_our_name_are_cut),
		cmocka_unit_test(header_sections_have_limits),
		cmocka_unit_test(a_mail_may_end_at_any_point),
		cmocka_unit_test(no_more_mails_than_allowed_are_open),
		cmocka_unit_test(the_trace_tells_questions_and_answers_in_order),
	};
	return cmocka_run_group_tests(tests, make_mail, free_mail);
}
