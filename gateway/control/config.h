#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The configuration as the daemon uses it: every key of postern.yaml in one structure. Bound by the
 * table in config_keys.def (key, type, unit, default, range, help), from which `postern config`,
 * the sample file and the man page are made too.
 */

#define CONFIG_MAX_LISTEN     8
#define CONFIG_MAX_ADDRESSES  8
#define CONFIG_MAX_PORTS      8
#define CONFIG_MAX_DOMAINS    4096
#define CONFIG_MAX_NETWORKS   64
#define CONFIG_MAX_BACKENDS   16
#define CONFIG_MAX_FORWARD    8
#define CONFIG_MAX_RECIPIENTS 1000
#define CONFIG_MAX_SEALERS    256

enum config_poll { CONFIG_POLL_ADAPTIVE, CONFIG_POLL_BUSY };
enum config_on_reject { CONFIG_ON_REJECT_QUARANTINE, CONFIG_ON_REJECT_REJECT };
enum config_spf_fail { CONFIG_SPF_MARK, CONFIG_SPF_REJECT };
enum config_eol { CONFIG_EOL_REFUSE, CONFIG_EOL_KEEP };
enum config_durability { CONFIG_FSYNC, CONFIG_NO_SYNC };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON, CONFIG_LOG_JOURNAL };
enum config_bounce { CONFIG_BOUNCE_AUTHENTIC, CONFIG_BOUNCE_ALL };
enum config_action { CONFIG_ACTION_REFUSE, CONFIG_ACTION_MARK };

struct config_listen {
	const char
		*device; /* tap[:NAME], af_packet:IF, ..., or "kernel": a kernel socket listener */
	struct ip_cidr addresses[CONFIG_MAX_ADDRESSES];
	unsigned n_addresses;
	struct ip_addr gateway4, gateway6; /* all zero: none */
	uint16_t ports[CONFIG_MAX_PORTS];
	unsigned n_ports;
};

/* How a backend is talked to. Where there is TLS, the server must show who it is. */
#define CONFIG_BACKEND_TLS(X)                                                                      \
	X(CONFIG_BACKEND_TLS_OFF, "off")                                                           \
	X(CONFIG_BACKEND_TLS_STARTTLS, "starttls")                                                 \
	X(CONFIG_BACKEND_TLS_IMPLICIT, "implicit")

enum config_backend_tls {
#define X(id, word) id,
	CONFIG_BACKEND_TLS(X)
#undef X
};

extern const char *const config_backend_tls_words[];

struct config_backend {
	const char *lmtp; /* unix:/path or tcp:HOST:PORT */
	unsigned connections;
	enum config_backend_tls tls;
	const char *tls_name;              /* of its certificate; NULL where there is no TLS */
	const char *tls_ca_file, *tls_pin; /* NULL: none given */
};

/* A named group of client networks. */
struct config_network {
	const char *name;
	struct ip_cidr *cidrs;
	unsigned n_cidrs;
};

struct config {
	const char *hostname, *authserv_id, *postmaster;

	struct config_network networks[CONFIG_MAX_NETWORKS];
	unsigned n_networks;

	struct {
		unsigned io, auth;
		enum config_poll poll;
		uint64_t memory; /* octets for packet buffers and rings */
	} lcores;

	struct config_listen listen[CONFIG_MAX_LISTEN];
	unsigned n_listen;

	const char **domains; /* lower case, A-labels */
	unsigned n_domains;

	struct {
		const char *file; /* one address a line, `@domain` takes all; NULL: every local part
				     of our domains */
	} recipients;

	struct {
		bool recursive;
		const char *forward[CONFIG_MAX_FORWARD];
		unsigned n_forward;
		const char *zone;
		const char *root_key;
		uint32_t timeout_ms;
		uint64_t cache_bytes;
	} dns;

	struct {
		uint32_t max_signatures, max_received;
		uint32_t patience_ms; /* how long a verdict is waited for after the end of data */
		uint32_t secondary_wait_ms; /* and how long of it for what decides nothing */
		bool body_tail;
		const char *seal_key, *seal_domain, *seal_selector; /* all NULL: no ARC sealing */
	} auth;

	struct {
		enum config_on_reject dmarc_on_reject;
		enum config_spf_fail spf_fail;
		enum config_action multiple_from;  /* more than one author domain */
		enum config_eol bare_lf, nul;      /* for everybody */
		const char *bare_lf_keep_networks; /* name of a group for which bare_lf is keep;
						      NULL: none */
		const char **sealers; /* domains whose ARC pass may overrule a DMARC fail */
		unsigned n_sealers;
		const char *forwarders; /* name of a group whose DMARC and SPF fails are spared;
					   NULL: none */
	} policy;

	struct {
		uint64_t message_bytes;
		uint32_t header_bytes, recipients, command_bytes, errors, mails_per_connection;
		uint32_t connections, half_open, mails;
		uint32_t client_connections, client_connections_crowded; /* 0: no limit */
		uint32_t idle_timeout_s, data_timeout_s, odd_end_timeout_s, drain_s;
		uint64_t data_rate;    /* octets a second that content must come at; 0: any */
		uint64_t chunk_memory; /* mail bytes in memory */
		uint64_t refuse_bytes;
		uint32_t linger_bytes, linger_ms;
	} limits;

	struct {
		const char *path;
		enum config_durability durability;
		uint64_t max_bytes, max_messages, segment_bytes, memory_bytes;
		uint32_t dead_keep_s, done_sync_ms, report_s, retention_s;
	} spool;

	struct {
		struct config_backend backends[CONFIG_MAX_BACKENDS];
		unsigned n_backends;
		uint32_t retry_min_s, retry_max_s, expire_s, warn_s, connect_timeout_ms,
			reply_timeout_ms;
	} delivery;

	struct {
		const char *url; /* NULL: no relay, no bounces */
		const char *user, *password_file, *ca_file;
		int tls; /* enum relay_tls */
		enum config_bounce bounce;
		unsigned connections;
		uint32_t connect_timeout_ms, reply_timeout_ms;
	} relay;

	struct {
		enum config_log_format format;
		int level;        /* enum log_severity */
		bool trace_lines; /* traces go to the JSON log too */
		uint32_t traces;  /* recent mails that `postern trace` knows, for each io lcore */
	} log;

	struct {
		const char *socket;
		const char *user; /* privileges are dropped to it; empty: stay */
	} control;

	void *memory; /* all strings and lists */
};

/* One thing wrong with a file. */
struct config_error {
	unsigned line, column; /* from 1; 0: the file as a whole */
	char text[640];        /* what is wrong and what to do */
};
#define CONFIG_MAX_ERRORS 32
struct config_errors {
	unsigned n, more;
	struct config_error error[CONFIG_MAX_ERRORS];
};

/*
 * Read a file: all errors in one go. 0, or -EINVAL with errors, or -errno where the file cannot be
 * read (one error too). Relative paths in it are taken from the file's folder.
 */
int config_load(const char *path, struct config **out, struct config_errors *errors);
void config_free(struct config *config);

/* A kernel socket, not a device of our own. */
bool config_listen_is_kernel(const struct config_listen *listen);

/* The group of that name, or NULL. */
const struct config_network *config_network_find(const struct config *config, const char *name);
/* Whether `addr` is in the named group of networks. */
bool config_in_network(const struct config *config, const char *name, const struct ip_addr *addr);
