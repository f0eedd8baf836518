#pragma once

#include "auth/dns/dns_zone.h"
#include "auth/pipeline.h"

/* For tests, fuzzers and benchmarks: mails through an engine whose questions a zone answers. */
enum pipeline_order {
	PIPELINE_IN_TURN, /* answers come at once */
	PIPELINE_LAST_FIRST,
	PIPELINE_AFTER_CONTENT,
};

struct pipeline_harness {
	const struct dns_zone *zone; /* borrowed */
	struct auth_engine *engine;
	size_t portion; /* octets fed at once; 0: all */
	enum pipeline_order order;
	enum dns_outcome failing; /* what becomes of every question; DNS_OK: the zone answers */
	uint64_t now_us;
	unsigned questions; /* carried out */
};

/* A zone from text; aborts on an error, for which the test is to blame. */
struct dns_zone *pipeline_harness_zone(const char *text);
void pipeline_harness_init(
	struct pipeline_harness *h, const struct auth_config *config, const struct dns_zone *zone);
void pipeline_harness_fini(struct pipeline_harness *h);

/* Answers what is asked, until nothing is. */
void pipeline_harness_answer(struct pipeline_harness *h);
/* Feeds a piece of content by portions; the first error ends it. */
enum auth_feed pipeline_harness_content(
	struct pipeline_harness *h, struct auth_mail *mail, struct bytes content);
/*
 * A whole mail, up to its verdict. The mail is the caller's to end. NULL where an error was met,
 * which *fed tells.
 */
struct auth_mail *pipeline_harness_run(struct pipeline_harness *h,
	const struct auth_envelope *envelope, struct bytes message, enum auth_feed *fed);
