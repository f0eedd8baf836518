#include "auth/dns/resolver.h"

#include "auth/dns/dns_packet.h"
#include "auth/dns/dns_zone.h"
#include "auth/dns/resolver_net.h"
#include "base/clock.h"
#include "base/counters.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#define TIDY_EVERY_US 1000000u
#define MAX_OPEN_MAX  8192u

#define RESOLVER_COUNTERS(X)                                                                       \
	X(RESOLVER_ASKED, "resolver_asked", "questions that came in")                              \
	X(RESOLVER_CACHED, "resolver_cached", "questions whose answer had come meanwhile")         \
	X(RESOLVER_JOINED, "resolver_joined", "questions that joined one already asked")           \
	X(RESOLVER_SENT, "resolver_sent", "questions put to the DNS")                              \
	X(RESOLVER_OK, "resolver_ok", "answers with records")                                      \
	X(RESOLVER_NODATA, "resolver_nodata", "answers: no such record")                           \
	X(RESOLVER_NXDOMAIN, "resolver_nxdomain", "answers: no such name")                         \
	X(RESOLVER_SERVFAIL, "resolver_servfail", "answers: the DNS failed")                       \
	X(RESOLVER_TIMEOUT, "resolver_timeout", "questions without an answer in time")             \
	X(RESOLVER_BOGUS, "resolver_bogus", "answers that DNSSEC refuses")                         \
	X(RESOLVER_MALFORMED, "resolver_malformed", "answers that did not hold together")          \
	X(RESOLVER_NO_MEMORY, "resolver_no_memory", "answers lost for want of memory")             \
	X(RESOLVER_FULL, "resolver_full", "questions refused: too many are waiting")               \
	X(RESOLVER_OPEN, "resolver_open", "questions on the wire")                                 \
	X(RESOLVER_KNOWN, "resolver_known", "different questions on the wire or in line")

COUNTERS_DECLARE(resolver, RESOLVER_COUNTERS)
COUNTERS_DEFINE(resolver, RESOLVER_COUNTERS)

struct waiter {
	struct waiter *next;
	struct resolver_token token;
};

enum lookup_state { IN_LINE, ON_WIRE, DONE };

/* One question with all who wait for it. */
struct lookup {
	struct resolver_net_asker asker; /* first: it is what comes back */
	struct resolver *home;
	struct lookup *chain; /* in its bucket; on the free list */
	struct lookup *newer,
		*older; /* in the order they came: that of their deadlines, and of the line */
	struct lookup *next_done;
	struct dns_question question;
	uint64_t hash, deadline_us;
	enum lookup_state state;
	struct waiter *waiters, **last_waiter;
	const struct dns_answer *answer; /* DONE: held */
};

struct resolver {
	struct resolver_config config;
	struct dns_cache *cache;
	const struct dns_parsers *parsers;
	resolver_done_fn done;
	void *done_arg;
	struct dns_zone *zone; /* or */
	struct resolver_net *net;
	struct event_base *events;
	struct event *timer, *wake;
	int wake_fd;
	uint32_t open, known, mask;
	struct lookup **buckets;
	struct lookup *oldest, *newest;
	struct lookup *line; /* the oldest that is not on the wire yet */
	struct lookup *done_first, **done_last;
	bool delivering;
	struct lookup *lookups, *free_lookups;
	struct waiter *waiters, *free_waiters;
	uint64_t tidied_us;
	struct resolver_counters counters;
	struct dns_packet_scratch scratch;
};

static void count(struct resolver *r, enum resolver_counter which)
{
	counter_inc(&r->counters.v[which]);
}

static void set_gauges(struct resolver *r)
{
	counter_set(&r->counters.v[RESOLVER_OPEN], r->open);
	counter_set(&r->counters.v[RESOLVER_KNOWN], r->known);
}

static void count_outcome(struct resolver *r, enum dns_outcome outcome)
{
	static const enum resolver_counter counters[] = {
#define X(name, word) [DNS_##name] = RESOLVER_##name,
		DNS_OUTCOMES(X)
#undef X
	};

	count(r, counters[outcome]);
}

/* --- the table, the list by age, the list of those done --- */

static struct lookup *find_lookup(
	const struct resolver *r, uint64_t hash, const struct dns_question *q)
{
	struct lookup *l = r->buckets[hash & r->mask];

	while (l && !(l->hash == hash && dns_question_same(&l->question, q)))
		l = l->chain;
	return l;
}

static void link_lookup(struct resolver *r, struct lookup *l)
{
	struct lookup **bucket = &r->buckets[l->hash & r->mask];

	l->chain = *bucket;
	*bucket = l;
	l->newer = NULL;
	l->older = r->newest;
	*(l->older ? &l->older->newer : &r->oldest) = l;
	r->newest = l;
	if (!r->line)
		r->line = l;
	r->known++;
}

static void unlink_lookup(struct resolver *r, struct lookup *l)
{
	struct lookup **link = &r->buckets[l->hash & r->mask];

	while (*link != l)
		link = &(*link)->chain;
	*link = l->chain;
	if (r->line == l)
		r->line = l->newer;
	*(l->newer ? &l->newer->older : &r->newest) = l->older;
	*(l->older ? &l->older->newer : &r->oldest) = l->newer;
	r->known--;
}

/* Takes over the hold on `answer`. Calls nobody: it runs within libunbound too. */
static void finish(struct resolver *r, struct lookup *l, const struct dns_answer *answer)
{
	if (l->state == ON_WIRE)
		r->open--;
	unlink_lookup(r, l);
	l->state = DONE;
	l->answer = answer;
	l->next_done = NULL;
	*r->done_last = l;
	r->done_last = &l->next_done;
	count_outcome(r, answer->outcome);
	dns_cache_put(r->cache, &l->question, answer, clock_mono_us());
	set_gauges(r);
}

static void free_waiter(struct resolver *r, struct waiter *w)
{
	w->next = r->free_waiters;
	r->free_waiters = w;
}

static void deliver_one(struct resolver *r, struct lookup *l)
{
	while (l->waiters) {
		struct waiter *w = l->waiters;
		struct resolver_token token = w->token;

		l->waiters = w->next;
		free_waiter(r, w);
		dns_answer_hold(l->answer);
		r->done(r->done_arg, &token, l->answer);
	}
	dns_answer_release(l->answer);
	l->chain = r->free_lookups;
	r->free_lookups = l;
}

/* `done` may ask again, and so come here again: then the first call goes on. */
static void deliver(struct resolver *r)
{
	if (r->delivering)
		return;
	r->delivering = true;
	while (r->done_first) {
		struct lookup *l = r->done_first;

		r->done_first = l->next_done;
		if (!r->done_first)
			r->done_last = &r->done_first;
		deliver_one(r, l);
	}
	r->delivering = false;
}

/* --- answers --- */

static const struct dns_answer *answer_from_packet(
	struct resolver *r, const struct dns_question *q, const struct resolver_net_reply *reply)
{
	struct dns_answer parsed;
	const struct dns_answer *answer;

	if (!dns_packet_parse(reply->packet, q, &r->scratch, &parsed))
		count(r, RESOLVER_MALFORMED);
	parsed.secure = reply->secure;
	answer = dns_answer_new(&parsed, r->parsers ? r->parsers->of[q->use] : NULL);
	if (answer)
		return answer;
	count(r, RESOLVER_NO_MEMORY);
	return dns_answer_failure(DNS_SERVFAIL);
}

static void on_reply(struct resolver_net_asker *asker, const struct resolver_net_reply *reply)
{
	struct lookup *l = (struct lookup *)asker;

	finish(l->home, l,
		reply->outcome == DNS_OK ? answer_from_packet(l->home, &l->question, reply)
					 : dns_answer_failure(reply->outcome));
}

/* --- questions --- */

/* As many as may go out, in the order they came. */
static void send_line(struct resolver *r)
{
	while (r->line && r->open < r->config.max_open) {
		struct lookup *l = r->line;

		r->line = l->newer;
		l->state = ON_WIRE;
		r->open++;
		count(r, RESOLVER_SENT);
		if (!resolver_net_ask(r->net, &l->question, &l->asker))
			finish(r, l, dns_answer_failure(DNS_SERVFAIL));
	}
	set_gauges(r);
}

static struct waiter *new_waiter(struct resolver *r, const struct resolver_token *token)
{
	struct waiter *w = r->free_waiters;

	if (w) {
		r->free_waiters = w->next;
		*w = (struct waiter){.token = *token};
	}
	return w;
}

static struct lookup *new_lookup(struct resolver *r, uint64_t hash, const struct dns_question *q)
{
	struct lookup *l = r->free_lookups;

	if (!l)
		return NULL;
	r->free_lookups = l->chain;
	*l = (struct lookup){
		.asker.reply = on_reply,
		.home = r,
		.question = *q,
		.hash = hash,
		.deadline_us = clock_mono_us() + (uint64_t)r->config.timeout_ms * 1000,
		.state = IN_LINE,
		.last_waiter = &l->waiters,
	};
	link_lookup(r, l);
	return l;
}

static void answer_from_zone(
	struct resolver *r, const struct dns_question *q, const struct resolver_token *token)
{
	const struct dns_answer *answer = dns_zone_answer(r->zone, r->parsers, q);

	if (!answer) {
		count(r, RESOLVER_NO_MEMORY);
		answer = dns_answer_failure(DNS_SERVFAIL);
	}
	count_outcome(r, answer->outcome);
	dns_cache_put(r->cache, q, answer, clock_mono_us());
	r->done(r->done_arg, token, answer);
}

static void ask_net(
	struct resolver *r, const struct dns_question *q, const struct resolver_token *token)
{
	uint64_t hash = dns_cache_hash(r->cache, q);
	struct lookup *l = find_lookup(r, hash, q);
	struct waiter *w = new_waiter(r, token);

	if (l && w)
		count(r, RESOLVER_JOINED);
	else if (w)
		l = new_lookup(r, hash, q);
	if (!l || !w) {
		if (w)
			free_waiter(r, w);
		count(r, RESOLVER_FULL);
		r->done(r->done_arg, token, dns_answer_failure(DNS_SERVFAIL));
		return;
	}
	*l->last_waiter = w;
	l->last_waiter = &w->next;
	send_line(r);
	deliver(r);
}

void resolver_ask(
	struct resolver *r, const struct dns_question *question, const struct resolver_token *token)
{
	const struct dns_answer *cached = dns_cache_get_own(r->cache, question, clock_mono_us());

	count(r, RESOLVER_ASKED);
	if (cached) {
		count(r, RESOLVER_CACHED);
		r->done(r->done_arg, token, cached);
	} else if (r->zone) {
		answer_from_zone(r, question, token);
	} else {
		ask_net(r, question, token);
	}
}

/* --- the loop --- */

static void end_overdue(struct resolver *r, uint64_t now_us)
{
	while (r->oldest && r->oldest->deadline_us <= now_us) {
		struct lookup *l = r->oldest;

		if (l->state == ON_WIRE)
			resolver_net_cancel(r->net, &l->asker);
		finish(r, l, dns_answer_failure(DNS_TIMEOUT));
	}
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void watch(struct resolver *r, int wake_fd)
{
	if (wake_fd == r->wake_fd)
		return;
	if (r->wake)
		event_free(r->wake);
	r->wake = wake_fd < 0 ? NULL
			      : event_new(r->events, wake_fd, EV_READ | EV_PERSIST, on_event, NULL);
	if (r->wake)
		event_add(r->wake, NULL);
	/* Where that failed the next call tries again. */
	r->wake_fd = r->wake ? wake_fd : -1;
}

/* Until the next deadline, but no longer than the caller wants to wait. */
static void arm(struct resolver *r, uint64_t now_us, int timeout_ms)
{
	uint64_t until_us = timeout_ms < 0 ? UINT64_MAX : now_us + (uint64_t)timeout_ms * 1000;
	struct timeval wait = {0};

	if (r->oldest && r->oldest->deadline_us < until_us)
		until_us = r->oldest->deadline_us;
	if (until_us == UINT64_MAX)
		return;
	if (until_us > now_us) {
		wait.tv_sec = (time_t)((until_us - now_us) / 1000000);
		wait.tv_usec = (suseconds_t)((until_us - now_us) % 1000000);
	}
	event_add(r->timer, &wait);
}

void resolver_run_once(struct resolver *r, int wake_fd, int timeout_ms)
{
	uint64_t now_us = clock_mono_us();

	watch(r, wake_fd);
	event_del(r->timer);
	arm(r, now_us, timeout_ms);
	/*
	 * ONCE always: with NONBLOCK alone libevent goes on while anything is active, and the
	 * caller's wake_fd stays readable until the caller clears it.
	 */
	event_base_loop(r->events, EVLOOP_ONCE | (timeout_ms == 0 ? EVLOOP_NONBLOCK : 0));
	now_us = clock_mono_us();
	end_overdue(r, now_us);
	if (r->net)
		send_line(r);
	deliver(r);
	if (now_us - r->tidied_us >= TIDY_EVERY_US) {
		r->tidied_us = now_us;
		dns_cache_tidy(r->cache, now_us);
	}
}

const struct counter_block *resolver_counters(const struct resolver *resolver)
{
	return &resolver->counters.block;
}

/* --- making and ending --- */

static int make_pools(struct resolver *r)
{
	uint32_t lookups = r->config.max_open * RESOLVER_LINE_FACTOR;
	uint32_t waiters = r->config.max_open * RESOLVER_WAITER_FACTOR;
	uint32_t buckets = 16;

	while (buckets < lookups)
		buckets *= 2;
	r->mask = buckets - 1;
	r->buckets = calloc(buckets, sizeof(*r->buckets));
	r->lookups = calloc(lookups, sizeof(*r->lookups));
	r->waiters = calloc(waiters, sizeof(*r->waiters));
	if (!r->buckets || !r->lookups || !r->waiters)
		return -ENOMEM;
	for (uint32_t i = 0; i < lookups; i++) {
		r->lookups[i].chain = r->free_lookups;
		r->free_lookups = &r->lookups[i];
	}
	for (uint32_t i = 0; i < waiters; i++)
		free_waiter(r, &r->waiters[i]);
	return 0;
}

static int make_source(struct resolver *r, struct text *why)
{
	int rc;

	if (r->config.mode == RESOLVER_ZONE)
		return dns_zone_load(r->config.zone_file, &r->zone, why);
	if (r->config.mode == RESOLVER_FORWARD && r->config.n_forward == 0) {
		text_printf(why, "dns: no address to forward to");
		return -EINVAL;
	}
	rc = resolver_net_new(&r->config, r->events, &r->net, why);
	if (rc == 0)
		r->config.max_open = resolver_net_max_open(r->net);
	return rc;
}

int resolver_new(const struct resolver_config *config, struct dns_cache *cache,
	const struct dns_parsers *parsers, resolver_done_fn done, void *arg, struct resolver **out,
	struct text *why)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (config->max_open == 0 || config->max_open > MAX_OPEN_MAX ||
		config->n_forward > RESOLVER_FORWARD_MAX) {
		text_printf(why,
			"dns: questions open at once must be 1 to %u, forwarders at most %u",
			MAX_OPEN_MAX, RESOLVER_FORWARD_MAX);
		free(r);
		return -EINVAL;
	}
	if (r) {
		r->config = *config;
		r->cache = cache;
		r->parsers = parsers;
		r->done = done;
		r->done_arg = arg;
		r->done_last = &r->done_first;
		r->wake_fd = -1;
		resolver_counters_init(&r->counters);
		r->events = event_base_new();
		r->timer = r->events ? evtimer_new(r->events, on_event, NULL) : NULL;
		rc = r->timer ? make_source(r, why) : -ENOMEM;
		if (rc == 0 && r->net)
			rc = make_pools(r);
	}
	if (rc == -ENOMEM && why->len == 0)
		text_printf(why, "dns: out of memory");
	if (rc != 0) {
		resolver_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	/* Whatever libunbound still calls back for must still be there. */
	resolver_net_free(r->net);
	while (r->done_first) {
		dns_answer_release(r->done_first->answer);
		r->done_first = r->done_first->next_done;
	}
	dns_zone_free(r->zone);
	if (r->wake)
		event_free(r->wake);
	if (r->timer)
		event_free(r->timer);
	if (r->events)
		event_base_free(r->events);
	free(r->buckets);
	free(r->lookups);
	free(r->waiters);
	free(r);
}
