#include "gateway/control/config_keys.h"

static const char *const polls[] = {"adaptive", "busy", NULL};
static const char *const on_rejects[] = {"quarantine", "reject", NULL};
static const char *const spf_fails[] = {"mark", "reject", NULL};
static const char *const actions[] = {"refuse", "mark", NULL};
static const char *const eols[] = {"refuse", "keep", NULL};
static const char *const durabilities[] = {"fsync", "none", NULL};
static const char *const bounces[] = {"authentic", "all", NULL};
static const char *const relay_tls[] = {"may", "require", "never", NULL};
static const char *const log_formats[] = {"text", "json", "journal", NULL};
static const char *const log_levels[] = {
	"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug", NULL};

#define AT(field) offsetof(struct config, field)
#define K         (UINT64_C(1) << 10)
#define M         (UINT64_C(1) << 20)
#define G         (UINT64_C(1) << 30)
#define T         (UINT64_C(1) << 40)

#define STRING(path, field, fallback, help)                                                        \
	{                                                                                          \
		path, CONFIG_STRING, AT(field), fallback, 0, 0, NULL, CONFIG_LIST_NONE, false,     \
			NULL, help                                                                 \
	}
#define REQUIRED(path, field, example, help)                                                       \
	{                                                                                          \
		path, CONFIG_STRING, AT(field), NULL, 0, 0, NULL, CONFIG_LIST_NONE, true, example, \
			help                                                                       \
	}
#define PATHNAME(path, field, fallback, help)                                                      \
	{                                                                                          \
		path, CONFIG_PATH, AT(field), fallback, 0, 0, NULL, CONFIG_LIST_NONE, false, NULL, \
			help                                                                       \
	}
#define NUMBER(path, type, field, fallback, min, max, help)                                        \
	{                                                                                          \
		path, type, AT(field), fallback, min, max, NULL, CONFIG_LIST_NONE, false, NULL,    \
			help                                                                       \
	}
#define CHOICE(path, field, fallback, choices, help)                                               \
	{                                                                                          \
		path, CONFIG_CHOICE, AT(field), fallback, 0, 0, choices, CONFIG_LIST_NONE, false,  \
			NULL, help                                                                 \
	}
#define LIST(path, list, required, example, help)                                                  \
	{                                                                                          \
		path, CONFIG_LIST, 0, NULL, 0, 0, NULL, list, required, example, help              \
	}

const struct config_key config_keys[] = {
	REQUIRED("hostname", hostname, "hostname: mx.example.org\n",
		"The name of this gateway: in its greeting, in Received, in LHLO."),
	STRING("authserv_id", authserv_id, NULL,
		"The name under which verdicts are given in Authentication-Results; default: "
		"hostname."),
	REQUIRED("postmaster", postmaster, "postmaster: postmaster@example.org\n",
		"Mailbox that gets mail to <postmaster>; an address of one of our domains."),
	LIST("networks", CONFIG_LIST_NETWORKS, false, "networks:\n  partners: [192.0.2.0/24]\n",
		"Named groups of client networks, for keys that take the name of a group."),

	NUMBER("lcores.io", CONFIG_NUMBER, lcores.io, "1", 1, 16,
		"Poll-mode threads that own connections."),
	NUMBER("lcores.auth", CONFIG_NUMBER, lcores.auth, "0", 0, 16,
		"Threads that verify mail, the signatures of all io lcores' mails in common "
		"batches; 0: the io lcores do it themselves, which is best on few CPUs."),
	CHOICE("lcores.poll", lcores.poll, "adaptive", polls,
		"adaptive sleeps when there is nothing to do, busy never does."),
	NUMBER("lcores.memory", CONFIG_SIZE, lcores.memory, "256M", 64 * M, 64 * G,
		"Memory for packet buffers and rings (hugepages where there are any)."),

	LIST("listen", CONFIG_LIST_LISTEN, true,
		"listen:\n  - device: tap\n    addresses: [192.0.2.2/24, \"2001:db8::2/64\"]\n"
		"    gateway: 192.0.2.1\n    ports: [25]\n",
		"Devices and the addresses and ports of ours on them. device: tap, tap:NAME, "
		"af_packet:INTERFACE, af_xdp:INTERFACE, af_xdp-shared:INTERFACE, "
		"memif:server,PATH, "
		"pci:ADDRESS, or kernel for "
		"senders on this machine."),
	LIST("domains", CONFIG_LIST_DOMAINS, true, "domains: [example.org]\n",
		"Domains we take mail for; every other is refused as relaying."),
	PATHNAME("recipients.file", recipients.file, NULL,
		"Known addresses, one a line, @domain for all of one; default: every local part."),

	NUMBER("dns.recursive", CONFIG_BOOL, dns.recursive, "true", 0, 1,
		"Resolve from the root, with DNSSEC; used where neither forward nor zone is "
		"given."),
	LIST("dns.forward", CONFIG_LIST_FORWARD, false, "forward: [192.0.2.53]\n",
		"Ask these resolvers (ADDRESS or ADDRESS@PORT) instead of recursing."),
	PATHNAME("dns.zone", dns.zone, NULL,
		"Answer every question from this master file; no packet leaves."),
	PATHNAME("dns.root_key", dns.root_key, "/usr/share/dns/root.key", "DNSSEC trust anchor."),
	NUMBER("dns.timeout", CONFIG_MILLIS, dns.timeout_ms, "5s", 100, 60000,
		"A question without an answer by then is a temporary failure."),
	NUMBER("dns.cache_size", CONFIG_SIZE, dns.cache_bytes, "64M", M, 16 * G,
		"Memory for answers."),

	NUMBER("auth.max_signatures", CONFIG_NUMBER, auth.max_signatures, "8", 1, 64,
		"DKIM signatures of one mail that are verified; those past it get policy."),
	NUMBER("auth.max_received", CONFIG_NUMBER, auth.max_received, "50", 5, 1000,
		"Received fields before a mail is taken for looping."),
	NUMBER("auth.patience", CONFIG_MILLIS, auth.patience_ms, "20s", 100, 300000,
		"How long a verdict may take after the end of data; then open look-ups count as "
		"time-outs."),
	NUMBER("auth.secondary_wait", CONFIG_MILLIS, auth.secondary_wait_ms, "1s", 0, 60000,
		"How long of it may pass for the client's name and the HELO identity alone, which "
		"decide nothing; then they are temperror."),
	NUMBER("auth.body_tail", CONFIG_BOOL, auth.body_tail, "false", 0, 1,
		"Let a DKIM signature whose l= leaves a tail unsigned pass."),

	PATHNAME("auth.seal.key", auth.seal_key, NULL,
		"A private key (RSA or Ed25519, PEM); with it every accepted mail gets an ARC set "
		"(RFC 8617) for whoever it is forwarded to. Signing is done by a thread of its "
		"own."),
	STRING("auth.seal.domain", auth.seal_domain, NULL, "The domain that seals, d=."),
	STRING("auth.seal.selector", auth.seal_selector, NULL,
		"Its selector, s=: the public key is at SELECTOR._domainkey.DOMAIN."),

	CHOICE("policy.dmarc.on_reject", policy.dmarc_on_reject, "quarantine", on_rejects,
		"What a DMARC fail under p=reject becomes (RFC 9989 section 7.4)."),
	LIST("policy.trusted_sealers", CONFIG_LIST_SEALERS, false,
		"trusted_sealers: [lists.example.net]\n",
		"Domains (d= of ARC seals) whose word counts: mail with a valid ARC chain that one "
		"of them sealed last is spared what DMARC and SPF fails would become, unless its "
		"own results say dmarc=fail for what it got from somebody who is not on the list."),
	STRING("policy.forwarders", policy.forwarders, NULL,
		"The group of networks whose DMARC and SPF fails are spared: hosts that forward "
		"mail for us."),
	CHOICE("policy.spf.fail", policy.spf_fail, "mark", spf_fails,
		"What an SPF fail becomes where there is no DMARC record and no DKIM pass."),
	CHOICE("policy.multiple_from", policy.multiple_from, "refuse", actions,
		"Mail with more than one From field or author domain."),
	CHOICE("policy.bare_lf", policy.bare_lf, "refuse", eols,
		"Bare CR or LF in the body. In the header section it is always refused."),
	CHOICE("policy.nul", policy.nul, "refuse", eols, "NUL in the body, likewise."),
	STRING("policy.bare_lf_keep_networks", policy.bare_lf_keep_networks, NULL,
		"The group of networks whose bare CR and LF are kept."),

	NUMBER("limits.message_size", CONFIG_SIZE, limits.message_bytes, "25M", 64 * K, 60 * M,
		"Largest mail; announced by SIZE."),
	NUMBER("limits.header_size", CONFIG_SIZE32, limits.header_bytes, "256K", 16 * K, 4 * M,
		"Largest header section."),
	NUMBER("limits.recipients", CONFIG_NUMBER, limits.recipients, "100", 1,
		CONFIG_MAX_RECIPIENTS, "Recipients of one mail."),
	NUMBER("limits.command_line", CONFIG_SIZE32, limits.command_bytes, "2048", 512, 16384,
		"Longest command line."),
	NUMBER("limits.errors", CONFIG_NUMBER, limits.errors, "20", 1, 1000,
		"Refused commands before the connection is closed."),
	NUMBER("limits.mails_per_connection", CONFIG_NUMBER, limits.mails_per_connection, "1000", 1,
		65000, "Mails of one connection before it is closed."),
	NUMBER("limits.connections", CONFIG_NUMBER, limits.connections, "10000", 16, 4000000,
		"Connections at once, for each io lcore. When all are taken, the longest idle one "
		"is closed with 421 for a newcomer."),
	NUMBER("limits.client_connections", CONFIG_NUMBER, limits.client_connections, "0", 0,
		4000000, "Connections of one client (an IPv4 address, an IPv6 /64); 0: no limit."),
	NUMBER("limits.client_connections_crowded", CONFIG_NUMBER,
		limits.client_connections_crowded, "100", 0, 4000000,
		"The same while half of limits.connections or more are in use."),
	NUMBER("limits.half_open", CONFIG_NUMBER, limits.half_open, "1024", 16, 1000000,
		"Connections being opened before SYN cookies answer."),
	NUMBER("limits.mails", CONFIG_NUMBER, limits.mails, "1000", 16, 30000,
		"Mails under way at once, for each io lcore."),
	NUMBER("limits.idle_timeout", CONFIG_SECONDS, limits.idle_timeout_s, "5m", 5, 3600,
		"Silence between commands (RFC 5321 section 4.5.3.2.7)."),
	NUMBER("limits.data_timeout", CONFIG_SECONDS, limits.data_timeout_s, "3m", 5, 3600,
		"Silence in the middle of a mail."),
	NUMBER("limits.odd_end_timeout", CONFIG_SECONDS, limits.odd_end_timeout_s, "30s", 1, 3600,
		"Silence after what only other servers take for the end of a mail (LF.LF and the "
		"like)."),
	NUMBER("limits.data_rate", CONFIG_SIZE, limits.data_rate, "100", 0, G,
		"Octets a second that content must come at, once data_timeout has passed; 0: any "
		"pace."),
	NUMBER("limits.drain", CONFIG_SECONDS, limits.drain_s, "30s", 1, 3600,
		"How long a stop waits for mails under way."),
	NUMBER("limits.mail_memory", CONFIG_SIZE, limits.chunk_memory, "512M", 4 * M, T,
		"Memory for content that is arriving, for each io lcore."),
	NUMBER("limits.refuse_size", CONFIG_SIZE, limits.refuse_bytes, "32M", 64 * K, G,
		"What is read on past message_size after a refusal, to give it at the true end."),
	NUMBER("limits.linger_size", CONFIG_SIZE32, limits.linger_bytes, "64K", 0, 16 * M,
		"What is read and thrown away after we closed, so that the last reply arrives."),
	NUMBER("limits.linger_time", CONFIG_MILLIS, limits.linger_ms, "5s", 0, 60000,
		"For how long."),

	PATHNAME("spool.path", spool.path, "/var/spool/postern", "The folder of the log."),
	CHOICE("spool.durability", spool.durability, "fsync", durabilities,
		"fsync: on disk before 250. none: at the operating system's leisure."),
	NUMBER("spool.max_size", CONFIG_SIZE, spool.max_bytes, "0", 0, 64 * T,
		"All segments together; 0: as the disk allows."),
	NUMBER("spool.max_messages", CONFIG_SIZE, spool.max_messages, "1000000", 1, 100000000,
		"Undelivered mails before new ones get 452."),
	NUMBER("spool.segment_size", CONFIG_SIZE, spool.segment_bytes, "64M", M, G,
		"One segment of the log."),
	NUMBER("spool.memory", CONFIG_SIZE, spool.memory_bytes, "128M", 0, T,
		"Committed mail kept in memory for delivery; the rest is read back from the log."),
	NUMBER("spool.done_sync", CONFIG_MILLIS, spool.done_sync_ms, "20ms", 0, 10000,
		"How long the note that a mail was delivered may wait to be synced together with "
		"new mail; what is lost with it in a crash is delivered twice."),
	NUMBER("spool.dead_keep", CONFIG_SECONDS, spool.dead_keep_s, "30d", 1, 31536000,
		"How long a mail is kept that could neither be delivered nor bounced."),
	NUMBER("spool.retention", CONFIG_SECONDS, spool.retention_s, "0s", 0, 31536000,
		"How long mail is kept that was delivered, for `postern replay`; it gives way "
		"where "
		"new mail would find no room."),
	NUMBER("spool.report", CONFIG_SECONDS, spool.report_s, "1d", 0, 2592000,
		"How often postmaster is told of mail that is dead or on hold, if there is any; 0: "
		"never."),

	LIST("delivery.backends", CONFIG_LIST_BACKENDS, true,
		"backends:\n  - lmtp: unix:/run/dovecot/lmtp\n    connections: 4\n",
		"LMTP servers: unix:/PATH or tcp:HOST:PORT, and connections to each at once. A "
		"host "
		"name is looked up at the start, and again as connections are made. Over TCP, tls: "
		"implicit (TLS from the first octet) or starttls (which the server must offer); "
		"default: off. With either, mail waits until the server shows a certificate for "
		"tls_name (default: HOST) that tls_ca_file vouches for (default: what the system "
		"trusts). tls_pin, the SHA-256 of the server's public key in hex, is asked for "
		"besides, or in place of both where there is no tls_ca_file."),
	NUMBER("delivery.retry_min", CONFIG_SECONDS, delivery.retry_min_s, "10s", 1, 86400,
		"First wait after a temporary failure; it doubles up to retry_max."),
	NUMBER("delivery.retry_max", CONFIG_SECONDS, delivery.retry_max_s, "1h", 1, 604800,
		"Longest wait."),
	NUMBER("delivery.expire", CONFIG_SECONDS, delivery.expire_s, "5d", 60, 2592000,
		"After this a temporary failure counts as permanent."),
	NUMBER("delivery.warn", CONFIG_SECONDS, delivery.warn_s, "4h", 0, 2592000,
		"After this the sender is told, once, that its mail is late (where there is a "
		"relay, "
		"and unless it asked not to be); 0: never."),
	NUMBER("delivery.connect_timeout", CONFIG_MILLIS, delivery.connect_timeout_ms, "5s", 100,
		300000, "Connecting to a backend."),
	NUMBER("delivery.reply_timeout", CONFIG_MILLIS, delivery.reply_timeout_ms, "5m", 1000,
		3600000, "Waiting for a backend's reply."),

	STRING("relay.url", relay.url, NULL,
		"SMTP server for mail of our own, as bounces: smtp://HOST[:PORT] or "
		"smtps://HOST[:PORT]. Without one no bounces are made, and undeliverable mail "
		"goes to hold; with one, what may not bounce becomes dead."),
	CHOICE("relay.bounce", relay.bounce, "authentic", bounces,
		"Who is told of a failure: authentic, senders that SPF or DMARC vouches for; all, "
		"also those that may be forged."),
	CHOICE("relay.tls", relay.tls, "may", relay_tls,
		"may: where it is offered, whatever the certificate; require: verified, or the "
		"mail "
		"waits; never."),
	PATHNAME("relay.ca_file", relay.ca_file, NULL,
		"Certificates that vouch for the relay; default: the system's."),
	STRING("relay.user", relay.user, NULL, "Name to authenticate with; needs tls: require."),
	PATHNAME("relay.password_file", relay.password_file, NULL,
		"The password, the first line of this file."),
	NUMBER("relay.connections", CONFIG_NUMBER, relay.connections, "2", 1, 32,
		"Connections to the relay at once."),
	NUMBER("relay.connect_timeout", CONFIG_MILLIS, relay.connect_timeout_ms, "30s", 100, 300000,
		"Connecting to the relay."),
	NUMBER("relay.reply_timeout", CONFIG_MILLIS, relay.reply_timeout_ms, "5m", 1000, 3600000,
		"One mail, all in all."),

	CHOICE("log.format", log.format, "text", log_formats,
		"text or json on standard error, or the journal."),
	CHOICE("log.level", log.level, "info", log_levels, "The least severe events to log."),
	NUMBER("log.trace_lines", CONFIG_BOOL, log.trace_lines, "true", 0, 1,
		"With format: json, a line of event=trace for each mail, with every DNS answer and "
		"signature and its time; needs log.traces."),
	NUMBER("log.traces", CONFIG_NUMBER, log.traces, "1000", 0, 1000000,
		"Recent mails that `postern trace` still knows, for each io lcore."),

	PATHNAME("control.socket", control.socket, "/run/postern/control.sock",
		"Where the tool `postern` reaches the daemon."),
	STRING("control.user", control.user, NULL,
		"User to become once devices and files are open; default: stay."),
};

const unsigned config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);
