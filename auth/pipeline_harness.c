#include "auth/pipeline_harness.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_QUESTIONS 1024

struct asked {
	struct auth_ref ref;
	uint32_t index;
	struct dns_question question;
};

struct dns_zone *pipeline_harness_zone(const char *text)
{
	struct dns_zone *zone;
	char room[256];
	struct text why;

	text_init(&why, room, sizeof(room));
	if (dns_zone_parse(bytes_str(text), "zone", &zone, &why)) {
		fprintf(stderr, "%s\n", text_str(&why));
		abort();
	}
	return zone;
}

void pipeline_harness_init(
	struct pipeline_harness *h, const struct auth_config *config, const struct dns_zone *zone)
{
	*h = (struct pipeline_harness){.zone = zone, .now_us = 1000000};
	if (auth_engine_new(config, NULL, NULL, &h->engine))
		abort();
}

void pipeline_harness_fini(struct pipeline_harness *h)
{
	auth_engine_free(h->engine);
}

static void answer(struct pipeline_harness *h, const struct asked *asked)
{
	const struct dns_answer *found =
		h->failing == DNS_OK ? dns_zone_answer(h->zone, &auth_dns_parsers, &asked->question)
				     : dns_answer_failure(h->failing);

	if (!found)
		abort();
	auth_engine_answer(h->engine, asked->ref, asked->index, found, h->now_us++);
	dns_answer_release(found);
}

void pipeline_harness_answer(struct pipeline_harness *h)
{
	static struct asked asked[MAX_QUESTIONS];
	unsigned n;

	do {
		n = 0;
		while (n < MAX_QUESTIONS && auth_engine_next_question(h->engine, &asked[n].ref,
						    &asked[n].index, &asked[n].question))
			n++;
		h->questions += n;
		for (unsigned i = 0; i < n; i++)
			answer(h, &asked[h->order == PIPELINE_LAST_FIRST ? n - 1 - i : i]);
	} while (n > 0);
}

enum auth_feed pipeline_harness_content(
	struct pipeline_harness *h, struct auth_mail *mail, struct bytes content)
{
	size_t portion = h->portion ? h->portion : content.len;
	enum auth_feed fed = AUTH_FEED_OK;

	for (size_t at = 0; at < content.len && fed == AUTH_FEED_OK; at += portion) {
		fed = auth_mail_content(mail, bytes_slice(content, at, portion), h->now_us++);
		auth_engine_run(h->engine, h->now_us, true, UINT32_MAX);
		if (h->order != PIPELINE_AFTER_CONTENT)
			pipeline_harness_answer(h);
	}
	return fed;
}

struct auth_mail *pipeline_harness_run(struct pipeline_harness *h,
	const struct auth_envelope *envelope, struct bytes message, enum auth_feed *fed)
{
	struct auth_mail *mail = auth_mail_begin(h->engine, envelope, h->now_us++);

	*fed = mail ? AUTH_FEED_OK : AUTH_FEED_NO_MEMORY;
	if (!mail)
		return NULL;
	*fed = pipeline_harness_content(h, mail, message);
	if (*fed == AUTH_FEED_OK)
		*fed = auth_mail_content_end(mail, h->now_us++);
	if (*fed != AUTH_FEED_OK) {
		auth_mail_end(mail);
		return NULL;
	}
	for (int turn = 0; turn < 2 && !auth_mail_verdict(mail); turn++) {
		pipeline_harness_answer(h);
		auth_engine_run(h->engine, h->now_us++, true, UINT32_MAX);
	}
	pipeline_harness_answer(h);
	/* Whatever is in the mail: once all is answered and run, there is a verdict. */
	if (!auth_mail_verdict(mail))
		abort();
	return mail;
}
