#pragma once

#include "auth/arc/arc_seal.h"
#include "auth/crypto/crypto.h"
#include "auth/dns/dns.h"
#include "auth/dns/dns_cache.h"
#include "auth/early.h"
#include "auth/trace.h"
#include "auth/verdict.h"
#include "base/bytes.h"
#include "base/ip_addr.h"

/*
 * The evaluation of mails, in step with their arrival. An engine belongs to one thread. It asks the
 * DNS by questions that its owner carries to the resolver, and its answers may come for mails long
 * gone. No syscall, lock or heap after auth_engine_new(), OpenSSL's own apart.
 */

struct auth_engine;
struct auth_mail;

struct auth_config {
	const char *authserv_id;
	const char *hostname; /* SPF %{r} */
	struct spf_limits spf;
	struct dkim_limits dkim;
	unsigned max_mails;        /* evaluated at once */
	uint32_t max_header_bytes; /* of one mail; a larger header section is
				      AUTH_FEED_HEADER_TOO_LARGE */
	uint32_t max_arena_bytes;  /* of one mail, apart from the header section */
	unsigned max_received;     /* Received fields: more is a loop (AUTH_FEED_LOOP) */
	/*
	 * iprev and the HELO identity decide nothing (DESIGN §7): once all else is known they are
	 * waited for only so long, then they are temperror.
	 */
	uint32_t secondary_wait_ms;
	bool hash_all; /* the bodies of unsigned mail too, for auth_mail_seal() */
};
extern const struct auth_config auth_config_default;

/* The parsers of every use: give these to the cache, the resolver, a zone. */
extern const struct dns_parsers auth_dns_parsers;

/*
 * `cache` and `reader` may be NULL: then every question goes out. 0 or -ENOMEM.
 */
int auth_engine_new(const struct auth_config *config, struct dns_cache *cache,
	struct epoch_reader *reader, struct auth_engine **out);
void auth_engine_free(struct auth_engine *engine);

/* Names a mail across threads; a generation that is gone names nothing. */
struct auth_ref {
	uint32_t slot, generation;
};

struct auth_envelope {
	struct ip_addr client;
	struct bytes helo;      /* as given; copied */
	struct bytes mail_from; /* reverse-path without <>; empty = null sender; copied */
	uint64_t now_unix_s;
	struct early_times early; /* for the trace: what was asked before there was this mail */
};

/* Begin at MAIL FROM: SPF and iprev start now (what early.h asked for comes soon). NULL when
 * max_mails are open. */
struct auth_mail *auth_mail_begin(
	struct auth_engine *engine, const struct auth_envelope *envelope, uint64_t now_us);
struct auth_ref auth_mail_ref(const struct auth_mail *mail);

enum auth_feed {
	AUTH_FEED_OK,
	AUTH_FEED_HEADER_TOO_LARGE, /* the mail is to be refused */
	AUTH_FEED_LOOP,             /* too many Received fields */
	AUTH_FEED_NO_MEMORY,        /* 452 */
};

/*
 * Content octets as received (un-stuffed), in any portions. They must stay in place until the mail
 * is ended or auth_engine_run() has returned after this call.
 */
enum auth_feed auth_mail_content(struct auth_mail *mail, struct bytes content, uint64_t now_us);
enum auth_feed auth_mail_content_end(struct auth_mail *mail, uint64_t now_us);

/* The verdict, once every answer and job is in; NULL before. */
const struct auth_verdict *auth_mail_verdict(struct auth_mail *mail);
/*
 * An ARC set to add to the mail, after the verdict, with octets from `arena`; the configuration has
 * hash_all. Not ARC_SEAL_OK: nothing is to be added.
 */
enum arc_seal_refusal auth_mail_seal(const struct auth_mail *mail, const struct arc_seal_key *key,
	struct arena *arena, struct arc_seal *seal);
/*
 * A DMARC fail has no consequence here, for this reason, which lasts as long as the mail: the
 * verdict and its Authentication-Results say so from now on (dmarc.override).
 */
void auth_mail_override(struct auth_mail *mail, const char *reason);
/*
 * Stop waiting: what is not answered counts as a DNS time-out (the session's patience is over).
 */
void auth_mail_give_up(struct auth_mail *mail, uint64_t now_us);
/* Done with it, at any point. */
void auth_mail_end(struct auth_mail *mail);

/* One pointer for the owner's use. */
void auth_mail_set_user(struct auth_mail *mail, void *user);
void *auth_mail_user(const struct auth_mail *mail);

/* Run jobs. `idle` as in crypto_run(). Returns how much was done. */
unsigned auth_engine_run(
	struct auth_engine *engine, uint64_t now_us, bool idle, uint32_t budget_us);
/* When to run again, if nothing comes before; UINT64_MAX if nothing waits. */
uint64_t auth_engine_deadline_us(const struct auth_engine *engine);
/*
 * The next mail whose verdict has become ready since last asked; NULL if none. The engine does not
 * touch it any more: until it is ended it may be read, sealed and overridden by another thread.
 */
struct auth_mail *auth_engine_next_ready(struct auth_engine *engine);

/* The next question to carry to the resolver; false if none. */
bool auth_engine_next_question(struct auth_engine *engine, struct auth_ref *ref, uint32_t *index,
	struct dns_question *question);
/* Its answer (a hold is taken if it is still wanted). */
void auth_engine_answer(struct auth_engine *engine, struct auth_ref ref, uint32_t index,
	const struct dns_answer *answer, uint64_t now_us);

/*
 * The trace of a mail so far, in the order of time: every question and its answer, hashes,
 * signatures, the verdict. What does not fit is counted (TRACE_LOST).
 */
void auth_mail_trace(const struct auth_mail *mail, struct trace_writer *out);

/* The header section, as gathered; for policy (e.g. counting) and for cutting fields (see
 * auth_mail_cuts). */
struct bytes auth_mail_header(const struct auth_mail *mail);

/*
 * Ranges of the content to be left out on delivery: inbound Authentication-Results that claim our
 * id, and X-Postern-* fields (DESIGN §7). At most `max`; more than that is
 * AUTH_FEED_HEADER_TOO_LARGE at the end of the header.
 */
struct auth_cut {
	uint32_t from, to;
};
#define AUTH_MAX_CUTS 32
unsigned auth_mail_cuts(const struct auth_mail *mail, struct auth_cut *cuts, unsigned max);

struct counter_block;
const struct counter_block *auth_counters(const struct auth_engine *engine);
