#include "auth/dns/resolver.h"

#include "base/counters.h"
#include "base/epoch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The resolver against a name server in this file, on a port of its own on the loopback. The server
 * answers what the first label of the name says, or keeps the question until the test lets it go;
 * nothing here sleeps.
 */

#define MESSAGE_MAX 2048
#define KEPT_MAX    64
#define LONG_TEXT   40 /* strings of 200 octets: no UDP message holds them */

struct kept {
	uint8_t message[MESSAGE_MAX];
	size_t len;
	struct sockaddr_in from;
};

struct server {
	int udp, tcp;
	uint16_t port;
	unsigned queries; /* over UDP, of names under "test." */
	struct kept kept[KEPT_MAX];
	unsigned n_kept;
	int connection; /* over TCP, or -1 */
	size_t tcp_len;
	uint8_t tcp_message[MESSAGE_MAX * 8];
};

static int bound_socket(int type, uint16_t *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

static void server_start(struct server *s)
{
	*s = (struct server){.udp = -1, .tcp = -1, .connection = -1};
	/* The same port for both; somebody else may have the one that TCP would need. */
	for (unsigned tries = 0; s->tcp < 0; tries++) {
		assert_true(tries < 100);
		if (s->udp >= 0)
			close(s->udp);
		s->port = 0;
		s->udp = bound_socket(SOCK_DGRAM, &s->port);
		s->tcp = bound_socket(SOCK_STREAM, &s->port);
	}
	assert_int_equal(listen(s->tcp, 8), 0);
}

static void server_stop(struct server *s)
{
	close(s->udp);
	close(s->tcp);
	if (s->connection >= 0)
		close(s->connection);
}

static size_t question_end(const uint8_t *message, size_t len)
{
	size_t at = 12;

	while (at < len && message[at] != 0)
		at += 1u + message[at];
	assert_true(at + 5 <= len);
	return at + 5;
}

static bool first_label_is(const uint8_t *message, const char *label)
{
	size_t len = strlen(label);

	return message[12] >= len && strncasecmp((const char *)message + 13, label, len) == 0;
}

/* Turns a query into its answer, in place. Returns the length. */
static size_t make_answer(uint8_t *m, size_t len, bool over_tcp)
{
	static const uint8_t txt[] = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60};
	static const uint8_t soa[] = {0, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0,
		2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 44};
	bool is_long = first_label_is(m, "long");
	uint8_t *out = m + question_end(m, len);
	unsigned strings = is_long ? LONG_TEXT : 1;

	m[2] = 0x81;
	m[3] = 0x80;
	memset(m + 6, 0, 6);
	if (first_label_is(m, "servfail"))
		m[3] |= 2;
	if (first_label_is(m, "nxdomain"))
		m[3] |= 3;
	if (first_label_is(m, "nxdomain") || first_label_is(m, "nodata") || out[-3] != DNS_TXT) {
		m[9] = 1;
		memcpy(out, soa, sizeof(soa));
		return (size_t)(out - m) + sizeof(soa);
	}
	if (is_long && !over_tcp)
		m[2] |= 2; /* truncated */
	if (first_label_is(m, "servfail") || (is_long && !over_tcp))
		return (size_t)(out - m);
	m[7] = 1;
	memcpy(out, txt, sizeof(txt));
	out += sizeof(txt);
	*out++ = (uint8_t)(strings * 201 >> 8);
	*out++ = (uint8_t)(strings * 201);
	for (unsigned i = 0; i < strings; i++) {
		*out++ = 200;
		memset(out, 'a' + (int)(i % 26), 200);
		out += 200;
	}
	return (size_t)(out - m);
}

static void server_send(struct server *s, struct kept *k)
{
	uint8_t answer[MESSAGE_MAX * 8];
	size_t len;

	memcpy(answer, k->message, k->len);
	if (first_label_is(k->message, "garbage")) {
		/* The right id, and an answer, but nothing right behind that. */
		memset(answer + 2, 0xff, k->len - 2);
		answer[2] = 0x81;
		answer[3] = 0x80;
		len = k->len;
	} else {
		len = make_answer(answer, k->len, false);
	}
	sendto(s->udp, answer, len, 0, (struct sockaddr *)&k->from, sizeof(k->from));
}

static void serve_udp(struct server *s)
{
	struct kept k;
	socklen_t from_len = sizeof(k.from);
	ssize_t n;

	while ((n = recvfrom(s->udp, k.message, sizeof(k.message), 0, (struct sockaddr *)&k.from,
			&from_len)) > 12) {
		k.len = (size_t)n;
		s->queries += !first_label_is(k.message, "_"); /* not those that minimise names */
		if (first_label_is(k.message, "silent"))
			continue;
		if (first_label_is(k.message, "kept")) {
			assert_true(s->n_kept < KEPT_MAX);
			s->kept[s->n_kept++] = k;
			continue;
		}
		server_send(s, &k);
	}
}

/* One connection and one question at a time. */
static void serve_tcp(struct server *s)
{
	uint8_t *m = s->tcp_message;
	ssize_t n;

	if (s->connection < 0) {
		s->connection = accept4(s->tcp, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		s->tcp_len = 0;
	}
	if (s->connection < 0)
		return;
	n = recv(s->connection, m + s->tcp_len, MESSAGE_MAX - s->tcp_len, 0);
	if (n < 0)
		return;
	s->tcp_len += (size_t)n;
	if (n > 0 && (s->tcp_len < 14 || s->tcp_len < 2 + ((size_t)m[0] << 8 | m[1])))
		return;
	if (n > 0) {
		size_t len = make_answer(m + 2, s->tcp_len - 2, true);

		m[0] = (uint8_t)(len >> 8);
		m[1] = (uint8_t)len;
		assert_int_equal(send(s->connection, m, len + 2, MSG_NOSIGNAL), len + 2);
	}
	close(s->connection);
	s->connection = -1;
}

#define ANSWERS_MAX 256

struct fixture {
	struct server server;
	struct epoch epoch;
	struct dns_cache *cache;
	struct resolver *resolver;
	unsigned n_answers;
	struct {
		uint32_t index;
		enum dns_outcome outcome;
		size_t text_len;
	} answers[ANSWERS_MAX];
	bool ask_again;
};

static struct dns_question question_of(const char *name)
{
	struct dns_question q;

	assert_true(dns_question_set(&q, DNS_TXT, DNS_USE_RAW, bytes_str(name)));
	return q;
}

static void ask(struct fixture *f, const char *name, uint32_t index)
{
	struct dns_question q = question_of(name);
	struct resolver_token token = {.lcore = 1, .slot = 2, .generation = 3, .index = index};

	resolver_ask(f->resolver, &q, &token);
}

static void on_done(void *arg, const struct resolver_token *token, const struct dns_answer *answer)
{
	struct fixture *f = arg;

	assert_true(f->n_answers < ANSWERS_MAX);
	assert_true(token->lcore == 1 && token->slot == 2 && token->generation == 3);
	f->answers[f->n_answers].index = token->index;
	f->answers[f->n_answers].outcome = answer->outcome;
	f->answers[f->n_answers++].text_len =
		answer->outcome == DNS_OK ? answer->records[0].text.len : 0;
	dns_answer_release(answer);
	if (f->ask_again && token->index < 100)
		ask(f, "again.test", token->index + 100);
}

static int start(void **state, struct resolver_config config)
{
	static struct fixture f;
	struct dns_cache_config cache_config = dns_cache_config_default;
	char forward[64], reason[200] = "";
	struct text why;

	f = (struct fixture){0};
	server_start(&f.server);
	snprintf(forward, sizeof(forward), "127.0.0.1@%u", f.server.port);
	if (config.mode == RESOLVER_FORWARD) {
		config.forward[0] = forward;
		config.n_forward = 1;
	}
	text_init(&why, reason, sizeof(reason));
	if (epoch_init(&f.epoch, 1) != 0 || dns_cache_new(&cache_config, &f.epoch, &f.cache) != 0)
		return -1;
	if (resolver_new(&config, f.cache, NULL, on_done, &f, &f.resolver, &why) != 0)
		fail_msg("%s", text_str(&why));
	*state = &f;
	return 0;
}

static int set_up(void **state)
{
	return start(state, (struct resolver_config){
				    .mode = RESOLVER_FORWARD, .timeout_ms = 5000, .max_open = 16});
}

static int set_up_impatient(void **state)
{
	return start(state, (struct resolver_config){
				    .mode = RESOLVER_FORWARD, .timeout_ms = 50, .max_open = 16});
}

static int set_up_narrow(void **state)
{
	return start(state, (struct resolver_config){
				    .mode = RESOLVER_FORWARD, .timeout_ms = 5000, .max_open = 1});
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	resolver_free(f->resolver);
	dns_cache_free(f->cache);
	epoch_fini(&f->epoch);
	server_stop(&f->server);
	return 0;
}

/* A turn of the resolver, which wakes for the server's questions too, and one of the server. */
static void turn(struct fixture *f)
{
	resolver_run_once(f->resolver, f->server.udp, 20);
	serve_udp(&f->server);
	serve_tcp(&f->server);
}

static void run_until(struct fixture *f, unsigned answers)
{
	for (unsigned i = 0; f->n_answers < answers; i++) {
		assert_true(i < 2000);
		turn(f);
	}
	assert_int_equal(f->n_answers, answers);
}

static void run_until_kept(struct fixture *f, unsigned kept)
{
	for (unsigned i = 0; f->server.n_kept < kept; i++) {
		assert_true(i < 2000);
		turn(f);
	}
}

static void release_kept(struct fixture *f)
{
	for (unsigned i = 0; i < f->server.n_kept; i++)
		server_send(&f->server, &f->server.kept[i]);
	f->server.n_kept = 0;
}

static uint64_t count(const struct fixture *f, const char *name)
{
	const struct counter_block *block = resolver_counters(f->resolver);

	for (size_t i = 0; i < block->set->count; i++) {
		if (strcmp(block->set->entries[i].name, name) == 0)
			return counter_get(&block->values[i]);
	}
	fail_msg("no counter %s", name);
	return 0;
}

static void brings_an_answer_and_keeps_it_in_the_cache(void **state)
{
	struct fixture *f = *state;

	ask(f, "a.test", 7);
	run_until(f, 1);
	assert_int_equal(f->answers[0].index, 7);
	assert_int_equal(f->answers[0].outcome, DNS_OK);
	assert_int_equal(f->answers[0].text_len, 200);
	assert_int_equal(f->server.queries, 1);
	ask(f, "a.test", 8);
	assert_int_equal(f->n_answers, 2);
	assert_int_equal(f->server.queries, 1);
	assert_int_equal(count(f, "resolver_cached"), 1);
}

static void tells_negative_answers_apart(void **state)
{
	struct fixture *f = *state;

	ask(f, "nxdomain.test", 0);
	run_until(f, 1);
	ask(f, "nodata.test", 1);
	run_until(f, 2);
	assert_int_equal(f->answers[0].outcome, DNS_NXDOMAIN);
	assert_int_equal(f->answers[1].outcome, DNS_NODATA);
}

static void a_failing_server_is_servfail(void **state)
{
	struct fixture *f = *state;

	ask(f, "servfail.test", 0);
	run_until(f, 1);
	assert_int_equal(f->answers[0].outcome, DNS_SERVFAIL);
}

static void a_truncated_answer_is_fetched_over_tcp(void **state)
{
	struct fixture *f = *state;

	ask(f, "long.test", 0);
	run_until(f, 1);
	assert_int_equal(f->answers[0].outcome, DNS_OK);
	assert_int_equal(f->answers[0].text_len, LONG_TEXT * 200);
}

static void silence_and_garbage_end_in_time(void **state)
{
	struct fixture *f = *state;

	ask(f, "silent.test", 0);
	ask(f, "garbage.test", 1);
	run_until(f, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(f->answers[i].outcome == DNS_TIMEOUT ||
			    (f->answers[i].index == 1 && f->answers[i].outcome == DNS_SERVFAIL));
	assert_true(count(f, "resolver_timeout") >= 1);
	assert_int_equal(count(f, "resolver_open"), 0);
	assert_int_equal(count(f, "resolver_known"), 0);
}

/* libunbound keeps the sockets of questions that were given up. */
static void silent_names_do_not_starve_the_others(void **state)
{
	struct fixture *f = *state;
	char name[40];

	for (unsigned round = 0; round < 8; round++) {
		for (unsigned i = 0; i < 16; i++) {
			snprintf(name, sizeof(name), "silent%u-%u.test", round, i);
			ask(f, name, i);
		}
		run_until(f, 16);
		snprintf(name, sizeof(name), "a%u.test", round);
		ask(f, name, 99);
		run_until(f, 17);
		assert_int_equal(f->answers[16].outcome, DNS_OK);
		f->n_answers = 0;
	}
}

/* A question that was given up must not come back as the answer to the next. */
static void an_answer_after_its_time_goes_nowhere(void **state)
{
	struct fixture *f = *state;

	ask(f, "kept.test", 0);
	run_until_kept(f, 1);
	run_until(f, 1);
	assert_int_equal(f->answers[0].outcome, DNS_TIMEOUT);
	ask(f, "silent.test", 1);
	release_kept(f);
	run_until(f, 2);
	assert_int_equal(f->answers[1].index, 1);
	assert_int_equal(f->answers[1].outcome, DNS_TIMEOUT);
}

static void the_same_question_of_many_is_sent_once(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 100; i++)
		ask(f, i % 2 ? "kept1.test" : "kept2.test", i);
	run_until_kept(f, 2);
	assert_int_equal(f->server.queries, 2);
	assert_int_equal(f->n_answers, 0);
	assert_int_equal(count(f, "resolver_joined"), 98);
	release_kept(f);
	run_until(f, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(f->answers[i].outcome, DNS_OK);
	/* In the order they asked, question by question. */
	for (uint32_t i = 1; i < 50; i++)
		assert_int_equal(f->answers[i].index, f->answers[i - 1].index + 2);
}

static void done_may_ask_again(void **state)
{
	struct fixture *f = *state;

	f->ask_again = true;
	for (uint32_t i = 0; i < 3; i++)
		ask(f, "a.test", i);
	run_until(f, 6);
	assert_int_equal(f->server.queries, 2);
}

static void questions_beyond_the_bound_wait_in_line(void **state)
{
	struct fixture *f = *state;

	ask(f, "kept.test", 0);
	ask(f, "b.test", 1);
	ask(f, "c.test", 2);
	run_until_kept(f, 1);
	turn(f);
	assert_int_equal(f->server.queries, 1);
	assert_int_equal(count(f, "resolver_open"), 1);
	assert_int_equal(count(f, "resolver_known"), 3);
	release_kept(f);
	run_until(f, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(f->answers[i].index, i);
}

static void a_full_line_is_a_failure_at_once(void **state)
{
	struct fixture *f = *state;
	char name[32];

	for (uint32_t i = 0; i < RESOLVER_LINE_FACTOR; i++) {
		snprintf(name, sizeof(name), "kept%u.test", i);
		ask(f, name, i);
	}
	assert_int_equal(f->n_answers, 0);
	ask(f, "more.test", 8);
	assert_int_equal(f->n_answers, 1);
	assert_int_equal(f->answers[0].outcome, DNS_SERVFAIL);
	/* Who joins needs no place in the line, but one among the waiters. */
	for (uint32_t i = RESOLVER_LINE_FACTOR; i < RESOLVER_WAITER_FACTOR; i++)
		ask(f, "kept0.test", i);
	assert_int_equal(f->n_answers, 1);
	ask(f, "kept0.test", 99);
	assert_int_equal(f->n_answers, 2);
	assert_int_equal(count(f, "resolver_full"), 2);
}

static void odd_octets_in_a_name_reach_the_server(void **state)
{
	struct fixture *f = *state;

	ask(f, "kept a\\b(\"\x01\xff.test", 0);
	run_until_kept(f, 1);
	assert_memory_equal(f->server.kept[0].message + 12,
		"\x0c"
		"kept a\\b(\"\x01\xff\x04test",
		19);
	release_kept(f);
	run_until(f, 1);
	assert_int_equal(f->answers[0].outcome, DNS_OK);
}

static void ends_with_questions_open(void **state)
{
	struct fixture *f = *state;

	ask(f, "silent.test", 0);
	turn(f);
	assert_int_equal(f->n_answers, 0);
}

static void wakes_for_its_doorbell(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	/* Without end if it did not. */
	resolver_run_once(f->resolver, fds[0], -1);
	resolver_run_once(f->resolver, -1, 0);
	close(fds[0]);
	close(fds[1]);
}

static void answers_from_a_zone_file_at_once(void **state)
{
	char path[] = "/tmp/postern-zone-XXXXXX";
	int fd = mkstemp(path);
	struct fixture *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a.test. 60 IN TXT \"x\"\n", 22), 22);
	close(fd);
	start(state,
		(struct resolver_config){.mode = RESOLVER_ZONE, .zone_file = path, .max_open = 1});
	unlink(path);
	f = *state;
	ask(f, "a.test", 0);
	ask(f, "b.test", 1);
	assert_int_equal(f->n_answers, 2);
	assert_int_equal(f->answers[0].outcome, DNS_OK);
	assert_int_equal(f->answers[1].outcome, DNS_NXDOMAIN);
	resolver_run_once(f->resolver, -1, 0);
	tear_down(state);
}

/* A trust anchor for the root, and a server that signs nothing. */
static void what_is_not_signed_as_it_must_be_is_bogus(void **state)
{
	static const char anchor[] =
		". IN DS 20326 8 2 "
		"E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
	char path[] = "/tmp/postern-anchor-XXXXXX";
	int fd = mkstemp(path);
	struct fixture *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, anchor, sizeof(anchor) - 1), sizeof(anchor) - 1);
	close(fd);
	start(state, (struct resolver_config){.mode = RESOLVER_FORWARD,
			     .root_key = path,
			     .timeout_ms = 5000,
			     .max_open = 16});
	unlink(path);
	f = *state;
	ask(f, "a.test", 0);
	run_until(f, 1);
	assert_int_equal(f->answers[0].outcome, DNS_BOGUS);
	assert_int_equal(count(f, "resolver_bogus"), 1);
	tear_down(state);
}

static void says_why_it_cannot_start(void **state)
{
	static const struct {
		struct resolver_config config;
		const char *why;
	} wrong[] = {
		{{.mode = RESOLVER_ZONE, .zone_file = "/nonexistent", .max_open = 1},
			"/nonexistent: "},
		{{.mode = RESOLVER_FORWARD, .max_open = 1}, "dns: no address"},
		{{.mode = RESOLVER_FORWARD, .n_forward = 1, .forward = {"nonsense"}, .max_open = 1},
			"dns: nonsense"},
		{{.mode = RESOLVER_RECURSIVE, .root_key = "/nonexistent", .max_open = 1}, "dns: "},
		{{.mode = RESOLVER_RECURSIVE}, "dns: questions open"},
	};
	struct dns_cache_config cache_config = dns_cache_config_default;
	struct dns_cache *cache;
	static struct epoch epoch;

	(void)state;
	assert_int_equal(epoch_init(&epoch, 1), 0);
	assert_int_equal(dns_cache_new(&cache_config, &epoch, &cache), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char reason[200];
		struct text why;
		struct resolver *resolver;

		text_init(&why, reason, sizeof(reason));
		assert_true(resolver_new(&wrong[i].config, cache, NULL, on_done, NULL, &resolver,
				    &why) < 0);
		if (!bytes_starts(text_bytes(&why), bytes_str(wrong[i].why)))
			fail_msg("%s, not %s", text_str(&why), wrong[i].why);
	}
	dns_cache_free(cache);
	epoch_fini(&epoch);
}

#define WITH(test, how) cmocka_unit_test_setup_teardown(test, how, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(brings_an_answer_and_keeps_it_in_the_cache, set_up),
		WITH(tells_negative_answers_apart, set_up),
		WITH(a_failing_server_is_servfail, set_up),
		WITH(a_truncated_answer_is_fetched_over_tcp, set_up),
		WITH(silence_and_garbage_end_in_time, set_up_impatient),
		WITH(silent_names_do_not_starve_the_others, set_up_impatient),
		WITH(an_answer_after_its_time_goes_nowhere, set_up_impatient),
		WITH(the_same_question_of_many_is_sent_once, set_up),
		WITH(done_may_ask_again, set_up),
		WITH(questions_beyond_the_bound_wait_in_line, set_up_narrow),
		WITH(a_full_line_is_a_failure_at_once, set_up_narrow),
		WITH(odd_octets_in_a_name_reach_the_server, set_up),
		WITH(ends_with_questions_open, set_up),
		WITH(wakes_for_its_doorbell, set_up),
		cmocka_unit_test(answers_from_a_zone_file_at_once),
		cmocka_unit_test(what_is_not_signed_as_it_must_be_is_bogus),
		cmocka_unit_test(says_why_it_cannot_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
