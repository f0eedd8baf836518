#pragma once

#include "auth/pipeline.h"
#include "base/chunk.h"
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/epoch.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "dataplane/kernel/kernel_port.h"
#include "dataplane/lcore.h"
#include "gateway/asker.h"
#include "gateway/control/config.h"
#include "gateway/gateway_counters.h"
#include "gateway/handoff.h"
#include "gateway/latest.h"
#include "gateway/policy/clients.h"
#include "gateway/policy/policy.h"
#include "gateway/policy/recipients.h"
#include "gateway/settings.h"
#include "gateway/smtp/smtp_session.h"
#include "gateway/trace_ring.h"
#include "gateway/verifier.h"
#include "gateway/verifier_rings.h"
#include "spool/log/spool_log.h"

#include <stdatomic.h>
#include <sys/queue.h>

/*
 * One io lcore: the device queues it serves, its sessions and mails, and its hand-overs to the
 * other threads. All of it belongs to one thread, but what is marked.
 */

struct mail;
struct session;

/* --- records that cross between threads ---------------------------------------------------------
 */

/* What the spooler is asked for. */
enum spool_request_kind {
	SPOOL_REQUEST_COMMIT, /* the mail, and what is left of its content */
	SPOOL_REQUEST_EXTENT, /* content ahead of it */
	SPOOL_REQUEST_ABORT,  /* that counts for nothing */
};

struct spool_request {
	struct mail *mail;
	struct chunk *chunks; /* the spooler's to release, as strung by `next` */
	enum spool_request_kind kind;
};

/* A mail has at most so many of them at the spooler: content, and its end. */
#define WORKER_REQUESTS_PER_MAIL 2

struct spool_reply {
	struct mail *mail;
	enum spool_request_kind kind;
	int error; /* 0: durable, or taken; else -errno */
};

/* Octets of replies that one step may write. */
#define WORKER_SCRATCH 16384

/* Blocks for what the commit record says: recipients, fields to prepend, ranges. */
#define WORKER_MAIL_BLOCK      49152
#define WORKER_BLOCKS_PER_MAIL 2

/* Blocks of ARENA_BLOCK_SIZE for the envelopes that sessions gather: one each, and some for large
 * ones. */
static inline uint32_t worker_blocks(const struct config *config)
{
	return config->limits.connections + config->limits.mails;
}

/*
 * Connections that TCP has room for: beyond the sessions, handshakes, refusals and what lingers
 * after its close. So a full table of sessions closes the idle before SYNs are ignored.
 */
static inline uint32_t worker_tcp_connections(const struct config *config)
{
	return config->limits.connections + config->limits.half_open +
	       config->limits.connections / 16 + 64;
}

/* Blocks for what is sent and not yet acknowledged: one for each session, and for each refusal.
 * Most replies are acknowledged at once, so that some sessions may take more. */
static inline uint32_t worker_send_blocks(const struct config *config)
{
	return config->limits.connections + config->limits.connections / 16 + 128;
}

struct worker {
	unsigned index;
	const struct config *boot;   /* what it was made from */
	const struct config *config; /* the same, or of the last reload */
	struct smtp_config smtp;
	struct policy_config policy;
	const struct recipients *recipients;
	struct spool_log *spool; /* its any-thread calls only */

	struct lcore *lcores[CONFIG_MAX_LISTEN];
	const struct config_listen *listens[CONFIG_MAX_LISTEN]; /* of each */
	unsigned n_lcores;
	int fds[CONFIG_MAX_LISTEN * PORT_MAX_FDS];
	unsigned n_fds;
	bool fdless_device;         /* one of the devices has nothing to poll */
	unsigned idle_rounds, naps; /* one after the other, with nothing to do */
	struct kernel_port *kernel; /* senders on this machine; NULL: none */
	bool slept;                 /* since the last round */
	unsigned kernel_rounds;

	const struct verifier *verifier; /* who verifies its mails */
	struct auth_engine *auth;        /* where it does so itself, and its questions */
	struct asker asker;
	struct verifier_rings *rings; /* where auth lcores do */
	struct chunk_pool chunks;
	struct slab sessions, mails, lines, blocks, mail_blocks, rests;
	struct wheel wheel;
	struct queue_id_gen ids;
	struct clock_fast clock;
	bool live;         /* the clock is read; else time is given (tests) */
	uint64_t round_us; /* when the round began */
	uint64_t now_us, now_unix_us, unix_read_us, drain_until_us;

	TAILQ_HEAD(session_list, session) open; /* all sessions, the longest idle first */
	enum tcp_pressure pressure;             /* of the round before: shed.h */
	struct clients clients;                 /* of them, by address */

	struct doorbell bell;
	struct handoff *to_spooler, *from_spooler;
	const struct arc_seal_key *seal_key; /* NULL: nothing is sealed, and these are not there */
	struct handoff *to_sealer, *sealed;  /* mail by way of the sealer to the spooler */
	unsigned mails_out;                  /* requests at the spooler */
	struct mail *streaming;              /* mails that may have content to send ahead */
	enum chunk_pool_level memory_level;  /* of this round */
	bool was_out_of_memory;              /* at the last look at all mails */
	uint64_t relieve_us;                 /* when the next is due */

	struct log_ring log;
	struct trace_ring *traces; /* recent mails; NULL: none are kept */
	struct gateway_counters counters;
	char scratch[WORKER_SCRATCH];

	const struct settings *_Atomic offered; /* any thread: go over to them */
	const struct settings *_Atomic adopted; /* those in use; NULL: what it was made from */
	struct latest new_access;               /* who is kept out: struct access_table */
	struct latest new_capture;              /* to copy packets into: struct capture */
	const struct access_table *access;      /* of it; NULL: nobody */
	_Atomic bool stop;                      /* any thread: drain, then end */
	bool draining;
};

/*
 * Takes the memory for one; devices and hand-overs are added by the caller. `key` is for tables
 * that peers can fill. 0 or -errno.
 */
int worker_init(
	struct worker *worker, unsigned index, const struct config *config, struct siphash_key key);
void worker_fini(struct worker *worker);

/* One poll round at the time that `now_us` and `now_unix_us` say. Returns how much there was to do.
 */
unsigned worker_round(struct worker *worker);
/* After a round: sleep, if it is one of several that had nothing to do. */
void worker_rest(struct worker *worker, bool had_work);
/* To end: 421 to the idle, finish what is in DATA (DESIGN §7). True when nothing is left. */
bool worker_drain(struct worker *worker);

/* Within a round: time has passed. */
void worker_read_clock(struct worker *worker);

/* The thread main: poll rounds until `stop` was set and everything is drained. */
void worker_run(struct worker *worker);

static inline void worker_count(struct worker *worker, enum gateway_counter id)
{
	counter_inc(&worker->counters.v[id]);
}
