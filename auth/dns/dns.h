#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Questions to the DNS and their answers, as the evaluators see them. An evaluator emits a question
 * by dns_ask(); the pipeline answers it from the cache or carries it out to the resolver; the
 * answer comes back through the function given with the question. No I/O here.
 */

#define DNS_NAME_MAX 253 /* octets of a name in text, no final dot (RFC 1035 §2.3.4) */

enum dns_type {
	DNS_A = 1,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

/*
 * What a TXT answer is wanted for: the cache keeps it parsed for that use (DKIM key with its
 * constants, SPF terms, DMARC policy), so a record is parsed once for any number of mails.
 */
#define DNS_USES(X)                                                                                \
	X(RAW, "raw")                                                                              \
	X(SPF, "spf")                                                                              \
	X(DKIM, "dkim")                                                                            \
	X(DMARC, "dmarc")

enum dns_use {
#define X(name, word) DNS_USE_##name,
	DNS_USES(X)
#undef X
		DNS_USE_COUNT
};

/* Lower case, labels parted by dots, no final dot; octets above 127 and controls stand for
 * themselves. */
struct dns_question {
	uint16_t type; /* enum dns_type */
	uint8_t use;   /* enum dns_use */
	uint8_t name_len;
	char name[DNS_NAME_MAX + 1];
};

/*
 * false where `name` is no domain name (empty, empty label, label over 63, whole over 253 octets).
 * One final dot is taken off.
 */
bool dns_question_set(
	struct dns_question *question, enum dns_type type, enum dns_use use, struct bytes name);
/* in-addr.arpa or ip6.arpa (RFC 1035 §3.5, RFC 3596 §2.5) */
void dns_question_set_reverse(struct dns_question *question, const struct ip_addr *addr);
/* One answer serves both. */
bool dns_question_same(const struct dns_question *a, const struct dns_question *b);

#define DNS_OUTCOMES(X)                                                                            \
	X(OK, "ok")                                                                                \
	X(NODATA, "nodata")                                                                        \
	X(NXDOMAIN, "nxdomain")                                                                    \
	X(SERVFAIL, "servfail")                                                                    \
	X(TIMEOUT, "timeout")                                                                      \
	X(BOGUS, "bogus")

enum dns_outcome {
#define X(name, word) DNS_##name,
	DNS_OUTCOMES(X)
#undef X
};

const char *dns_outcome_word(enum dns_outcome outcome);

struct dns_record {
	struct ip_addr addr; /* A, AAAA */
	uint16_t preference; /* MX */
	struct bytes name;   /* MX, PTR: a name as in dns_question (empty = the root: null MX) */
	struct bytes text;   /* TXT: the strings joined */
};

/*
 * An answer is immutable once published. Whoever keeps one holds it; the last release frees it.
 * CNAMEs have been followed. Records that the outcome does not speak of are not there.
 */
struct dns_answer {
	_Atomic uint32_t holds;
	enum dns_outcome outcome;
	bool secure; /* validated by DNSSEC */
	bool fixed;  /* one of dns_answer_failure(): not counted, never freed */
	uint32_t ttl_s;
	uint32_t bytes; /* memory it takes, its parsed form included; for bounds of caches */
	uint16_t n;
	const void *parsed; /* by the parser of its use; NULL for DNS_USE_RAW and other outcomes
			       than OK */
	void (*free_parsed)(const void *parsed);
	struct dns_record *records;
};

/* An answer of more records is none that a verdict can stand on: it is taken as a failure. */
#define DNS_ANSWER_MAX_RECORDS 512

/*
 * A new answer with one hold, in one allocation: a copy of outcome, secure, ttl_s, n and records of
 * `like`, whose names and texts are copied too. `parser` (NULL: none) makes its parsed form. NULL
 * when memory is out.
 */
struct dns_parser;
const struct dns_answer *dns_answer_new(
	const struct dns_answer *like, const struct dns_parser *parser);
/* An answer without records and with that outcome that is always there: for want of memory, time or
 * patience. */
const struct dns_answer *dns_answer_failure(enum dns_outcome outcome);
void dns_answer_hold(const struct dns_answer *answer);
void dns_answer_release(const struct dns_answer *answer);
static inline bool dns_answer_is_temporary(const struct dns_answer *answer)
{
	return answer->outcome >= DNS_SERVFAIL;
}

/*
 * Makes the parsed form of an answer with outcome OK, on the resolver's thread (heap allowed). NULL
 * where memory is out. The result describes bad records too: a parser never fails on them.
 */
struct dns_parser {
	const void *(*parse)(const struct dns_answer *answer);
	void (*free)(const void *parsed);
	/* Octets that a parsed form takes, for the bound of the cache; NULL: an estimate is made.
	 */
	size_t (*size)(const void *parsed);
};

/* One per use, filled by auth/pipeline and given to whatever makes answers (cache, resolver, zone).
 */
struct dns_parsers {
	const struct dns_parser *of[DNS_USE_COUNT]; /* NULL: no parsed form */
};

/*
 * The questions of one mail. The answers are held until the mail is done, so evaluators may keep
 * pointers into them.
 */
#define DNS_ASKS_MAX 192

typedef void (*dns_answered_fn)(void *owner, uint32_t tag, const struct dns_answer *answer);

struct dns_asks;

/*
 * Emit a question. `answered(owner, tag, answer)` is called later (never from inside this call).
 * false when DNS_ASKS_MAX is reached: the evaluator treats that as its own limit being hit.
 */
bool dns_ask(struct dns_asks *asks, const struct dns_question *question, dns_answered_fn answered,
	void *owner, uint32_t tag);
