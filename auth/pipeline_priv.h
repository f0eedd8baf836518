#pragma once

#include "auth/arc/arc.h"
#include "auth/dns/dns_asks.h"
#include "auth/iprev.h"
#include "auth/message/mailbox.h"
#include "auth/pipeline.h"
#include "base/arena.h"
#include "base/slab.h"

/* A doubly linked list through the mails; a link that is in no list points to itself. */
struct auth_link {
	struct auth_link *next, *prev;
};

/* Room for the Authentication-Results field: see verdict.c for what bounds it. */
#define AUTH_RESULTS_ROOM 16384

enum auth_phase { AUTH_PHASE_HEADER, AUTH_PHASE_BODY, AUTH_PHASE_ENDED, AUTH_PHASE_READY };

struct auth_mail {
	struct auth_engine *engine;
	uint32_t slot, generation;
	enum auth_phase phase;
	enum auth_feed fed; /* an error stays */
	void *user;
	uint64_t begun_us, header_us, ended_us, ready_us;

	struct arena arena;
	struct dns_asks asks;
	/* Questions for the resolver, not yet carried out: indexes into asks, a queue. */
	uint8_t out[DNS_ASKS_MAX];
	unsigned n_out, next_out;
	bool gave_up;

	struct bytes helo, mail_from;
	struct ip_addr client;
	uint64_t now_unix_s;
	struct spf_eval *spf_helo, *spf_mfrom; /* spf_mfrom is NULL for the null sender */
	struct bytes helo_domain, mfrom_domain;
	struct iprev iprev;

	uint8_t *header; /* from the engine's slab; NULL before the first octet */
	struct fields fields;
	unsigned received, n_cuts, from_fields;
	bool from_disguised; /* something that only some take for a From field */
	struct auth_cut cuts[AUTH_MAX_CUTS];
	enum mailbox_status from_status;
	struct mailbox_domains from;
	struct dkim_verifier *dkim;
	struct arc_verifier *arc;
	struct dkim_body_stream *whole_body; /* for a seal; NULL: none is to be made */
	struct dmarc_eval *dmarc;            /* NULL unless there is one author domain */
	bool identified;                     /* dmarc has been told of SPF and DKIM */

	uint64_t linger_until_us; /* while in_lingering */
	struct auth_link in_asking, in_waiting, in_lingering, in_ready;
	struct auth_verdict verdict;
	char results[AUTH_RESULTS_ROOM];
};

#define AUTH_COUNTERS(X)                                                                           \
	X(AUTH_MAILS, "auth_mails", "mails whose evaluation began")                                \
	X(AUTH_MAILS_FULL, "auth_mails_full", "mails refused: as many as allowed are open")        \
	X(AUTH_VERDICTS, "auth_verdicts", "verdicts reached")                                      \
	X(AUTH_GAVE_UP, "auth_gave_up", "mails whose session gave up waiting for the DNS")         \
	X(AUTH_SECONDARY_LATE, "auth_secondary_late",                                              \
		"verdicts for which iprev or HELO came too late")                                  \
	X(AUTH_TEMPORARY, "auth_temporary", "verdicts that a failed look-up leaves open")          \
	X(AUTH_ASKS, "auth_asks", "DNS questions of evaluators")                                   \
	X(AUTH_ASKS_CACHED, "auth_asks_cached", "of these, answered from the cache")               \
	X(AUTH_ASKS_SHARED, "auth_asks_shared", "of these, asked already by the same mail")        \
	X(AUTH_ANSWERS_STALE, "auth_answers_stale", "answers for mails that were gone or decided")            \
	X(AUTH_HEADER_TOO_LARGE, "auth_header_too_large", "header sections over the limit")        \
	X(AUTH_LOOPS, "auth_loops", "mails with too many Received fields")                         \
	X(AUTH_NO_MEMORY, "auth_no_memory", "mails that met the bound of their memory")
COUNTERS_DECLARE(auth, AUTH_COUNTERS)

struct auth_engine {
	struct auth_config config; /* its strings are the engine's own */
	struct dns_cache *cache;
	struct epoch_reader *reader;
	struct crypto_queue *queue;
	struct slab mails, headers, blocks;
	struct auth_mail **live; /* by slot; NULL where none is */
	uint32_t last_generation;
	/*
	 * Mails with questions to carry out; that have all their content; that wait for iprev or
	 * HELO alone, the first to give up on it first; whose verdict has not been told.
	 */
	struct auth_link asking, waiting, lingering, ready;
	struct auth_counters counters;
	char authserv_id[256], hostname[256];
};

/* --- pipeline_dns.c: questions of one mail --- */

/* Answers what the cache or the mail itself knows and lines up the rest for the resolver. */
void pipeline_dns_pump(struct auth_mail *mail, uint64_t now_us);
/* Takes the next question to carry out; false if none is left. */
bool pipeline_dns_next(struct auth_mail *mail, uint32_t *index, struct dns_question *question);
/* An answer of the resolver, for that question and all that are the same. */
void pipeline_dns_answer(
	struct auth_mail *mail, uint32_t index, const struct dns_answer *answer, uint64_t now_us);

/* --- pipeline_header.c: what is done with header fields --- */

void pipeline_header_field(struct auth_mail *mail, const struct field *field);

/* --- pipeline_seal.c --- */

/* The header section is complete. */
void pipeline_seal_header_end(struct auth_mail *mail);
/* What a seal needs is there. */
bool pipeline_seal_done(const struct auth_mail *mail);

/* --- pipeline_verdict.c --- */

/* Tells DMARC of the identifiers that SPF and DKIM have authenticated. Both are done. */
void pipeline_verdict_identify(struct auth_mail *mail);
/* Every part is done: fills mail->verdict. */
void pipeline_verdict_fill(struct auth_mail *mail);

/* --- links --- */

static inline void auth_link_init(struct auth_link *link)
{
	link->next = link->prev = link;
}

static inline bool auth_link_is_in(const struct auth_link *link)
{
	return link->next != link;
}

static inline void auth_link_remove(struct auth_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	auth_link_init(link);
}

/* At the end of the list; nothing happens where it is in it already. */
static inline void auth_link_append(struct auth_link *list, struct auth_link *link)
{
	if (auth_link_is_in(link))
		return;
	link->prev = list->prev;
	link->next = list;
	list->prev->next = link;
	list->prev = link;
}
