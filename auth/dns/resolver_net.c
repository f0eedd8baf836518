#include "auth/dns/resolver_net.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unbound-event.h>
#include <unbound.h>

#define CLASS_IN      1
#define OWN_FDS       256u /* what the rest of the process may need besides */
#define RANGE_MIN     64u
#define RANGE_MAX     8192u
#define LINGER_MS     20000u
#define SEC_BOGUS     1
#define SEC_VALIDATED 2

struct resolver_net {
	struct ub_ctx *ctx;
	uint32_t range;    /* sockets */
	uint32_t max_open; /* questions */
};

static int refuse(struct text *why, const char *what, int error)
{
	text_printf(why, "dns: %s: %s", what, ub_strerror(error));
	return error == UB_NOMEM ? -ENOMEM : -EINVAL;
}

/* Descriptors that the resolver may use, after asking for as many as it wants. */
static uint32_t raise_descriptors(uint32_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return wanted;
	if (limit.rlim_cur < wanted + OWN_FDS) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur =
			limit.rlim_max < wanted + OWN_FDS ? limit.rlim_max : wanted + OWN_FDS;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			limit.rlim_cur = before;
	}
	if (limit.rlim_cur >= wanted + OWN_FDS)
		return wanted;
	return limit.rlim_cur > 2 * OWN_FDS ? (uint32_t)limit.rlim_cur - OWN_FDS
					    : (uint32_t)limit.rlim_cur / 2;
}

/*
 * libunbound goes on with a question that was given up, for LINGER_MS where no server answers, and
 * keeps its socket. Names whose servers are silent must not take every socket from the others: so
 * there are enough for all that may be lingering, or fewer questions are open at once.
 */
static void size_sockets(struct resolver_net *net, const struct resolver_config *config)
{
	uint32_t each = 1 + LINGER_MS / (config->timeout_ms ? config->timeout_ms : 1);
	uint64_t wanted = (uint64_t)config->max_open * each;

	wanted = wanted < RANGE_MIN ? RANGE_MIN : wanted;
	wanted = wanted > RANGE_MAX ? RANGE_MAX : wanted;
	net->range = raise_descriptors((uint32_t)wanted);
	net->max_open = net->range / each;
	if (net->max_open == 0)
		net->max_open = 1;
	if (net->max_open > config->max_open)
		net->max_open = config->max_open;
}

static int set_options(
	struct resolver_net *net, const struct resolver_config *config, struct text *why)
{
	bool forward = config->mode == RESOLVER_FORWARD;
	char range[16];
	/* The library's own defaults are for one client program. */
	const struct {
		const char *name, *value;
		bool wanted;
	} options[] = {
		{"outgoing-range:", range, true},
		{"num-queries-per-thread:", range, true},
		{"outgoing-num-tcp:", "64", true},
		{"msg-cache-size:", "8m", true},
		{"rrset-cache-size:", "16m", true},
		{"rrset-roundrobin:", "no", true}, /* the same records, the same verdict */
		{"module-config:", "iterator", !config->root_key},
		/* Who forwards decides what is answered: a resolver on this host, private zones. */
		{"do-not-query-localhost:", "no", forward},
		/* Where everything goes through a few servers, one that was down must be asked
		 * again soon after it is back. */
		{"infra-keep-probing:", "yes", forward},
		/* The first wait, in ms; each that was in vain doubles it, and what comes after it
		 * is lost. One that needs two seconds for an answer is found out by the second. */
		{"unknown-server-time-limit:", "1128", forward},
		{"unblock-lan-zones:", "yes", forward},
	};

	snprintf(range, sizeof(range), "%u", net->range);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int error = options[i].wanted
				    ? ub_ctx_set_option(net->ctx, options[i].name, options[i].value)
				    : 0;

		if (error)
			return refuse(why, options[i].name, error);
	}
	return 0;
}

/* Everything here must come before the first question; later it would be refused or, worse,
 * ignored. */
static int configure(
	struct resolver_net *net, const struct resolver_config *config, struct text *why)
{
	int rc = set_options(net, config, why);

	for (unsigned i = 0; rc == 0 && config->mode == RESOLVER_FORWARD && i < config->n_forward;
		i++) {
		int error = ub_ctx_set_fwd(net->ctx, config->forward[i]);

		if (error)
			rc = refuse(why, config->forward[i], error);
	}
	if (rc == 0 && config->root_key) {
		int error = ub_ctx_add_ta_file(net->ctx, config->root_key);

		if (error)
			rc = refuse(why, config->root_key, error);
	}
	return rc;
}

static void ignore_reply(void *mydata, int rcode, void *packet, int packet_len, int sec,
	char *why_bogus, int was_ratelimited)
{
	(void)mydata, (void)rcode, (void)packet, (void)packet_len, (void)sec, (void)why_bogus,
		(void)was_ratelimited;
}

/*
 * The first question sets everything up, which takes tens of milliseconds and is where a bad trust
 * anchor shows. "localhost" is answered by the library itself.
 */
static int warm_up(struct ub_ctx *ctx, const struct resolver_config *config, struct text *why)
{
	int error = ub_resolve_event(ctx, "localhost.", DNS_A, CLASS_IN, NULL, ignore_reply, NULL);

	if (error)
		return refuse(why, "start", error);
	/* Answered NXDOMAIN by default (RFC 6761); a forwarder may know better. */
	if (config->mode == RESOLVER_FORWARD)
		ub_ctx_zone_remove(ctx, "test.");
	return 0;
}

int resolver_net_new(const struct resolver_config *config, struct event_base *events,
	struct resolver_net **out, struct text *why)
{
	struct resolver_net *net = calloc(1, sizeof(*net));
	int rc = -ENOMEM;

	if (net)
		net->ctx = ub_ctx_create_event(events);
	if (net && net->ctx) {
		ub_ctx_debugout(net->ctx, NULL);
		size_sockets(net, config);
		rc = configure(net, config, why);
		if (rc == 0)
			rc = warm_up(net->ctx, config, why);
	} else {
		text_printf(why, "dns: out of memory");
	}
	if (rc != 0) {
		resolver_net_free(net);
		return rc;
	}
	*out = net;
	return 0;
}

void resolver_net_free(struct resolver_net *net)
{
	if (!net)
		return;
	if (net->ctx)
		ub_ctx_delete(net->ctx);
	free(net);
}

/* Master-file text, absolute: what is no letter, digit, '-' or '_' as \DDD. */
static void put_master_name(struct text *out, struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (ascii_is_alnum(c) || c == '-' || c == '_' || c == '.')
			text_putc(out, (char)c);
		else
			text_printf(out, "\\%03u", c);
	}
	text_putc(out, '.');
}

static void on_reply(void *mydata, int rcode, void *packet, int packet_len, int sec,
	char *why_bogus, int was_ratelimited)
{
	struct resolver_net_asker *asker = mydata;
	struct resolver_net_reply reply = {.outcome = DNS_SERVFAIL};

	(void)why_bogus, (void)was_ratelimited;
	/* A bogus answer comes with rcode 0: look for it first. */
	if (sec == SEC_BOGUS) {
		reply.outcome = DNS_BOGUS;
	} else if (rcode == 0 && packet && packet_len > 0) {
		reply.outcome = DNS_OK;
		reply.secure = sec == SEC_VALIDATED;
		reply.packet = bytes_of(packet, (size_t)packet_len);
	}
	asker->id = 0;
	asker->reply(asker, &reply);
}

uint32_t resolver_net_max_open(const struct resolver_net *net)
{
	return net->max_open;
}

bool resolver_net_ask(struct resolver_net *net, const struct dns_question *question,
	struct resolver_net_asker *asker)
{
	char name[4 * DNS_NAME_MAX + 2];
	struct text text;
	int id = 0;

	text_init(&text, name, sizeof(name));
	put_master_name(&text, bytes_of(question->name, question->name_len));
	asker->id = 0;
	if (ub_resolve_event(
		    net->ctx, text_str(&text), question->type, CLASS_IN, asker, on_reply, &id) != 0)
		return false;
	/* 0 where it was answered from inside; the asker may be another's by now. */
	if (id != 0)
		asker->id = id;
	return true;
}

void resolver_net_cancel(struct resolver_net *net, struct resolver_net_asker *asker)
{
	if (asker->id != 0)
		ub_cancel(net->ctx, asker->id);
	asker->id = 0;
}
