#include "gateway/fake_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fakes fakes;

/* --- the spool's any-thread calls ---------------------------------------------------------------
 */

bool spool_log_reserve(struct spool_log *log, uint64_t octets)
{
	(void)log;
	if (fakes.spool_is_full)
		return false;
	fakes.spool_reserved += octets;
	return true;
}

void spool_log_unreserve(struct spool_log *log, uint64_t octets)
{
	(void)log;
	assert_true(fakes.spool_reserved >= octets);
	fakes.spool_reserved -= octets;
}

/* --- connections --------------------------------------------------------------------------------
 */

static struct bytes conn_peek(const void *at)
{
	const struct fake_conn *conn = at;
	size_t n = conn->portion && conn->portion < conn->in_len ? conn->portion : conn->in_len;

	assert_false(conn->closed || conn->aborted || conn->released);
	return bytes_of(conn->in + conn->in_from, n);
}

static void conn_consume(void *at, uint32_t n)
{
	struct fake_conn *conn = at;

	assert_true(n <= conn->in_len);
	conn->in_from += n;
	conn->in_len -= n;
}

static uint32_t conn_send(void *at, struct bytes bytes)
{
	struct fake_conn *conn = at;
	size_t n = bytes.len < conn->room ? bytes.len : conn->room;

	assert_false(conn->closed || conn->aborted || conn->released);
	assert_true(conn->out_len + n < sizeof(conn->out));
	memcpy(conn->out + conn->out_len, bytes.data, n);
	conn->out_len += n;
	conn->room -= n;
	return (uint32_t)n;
}

static void conn_window(void *at, uint32_t octets)
{
	((struct fake_conn *)at)->window = octets;
}

static void conn_close(void *at)
{
	((struct fake_conn *)at)->closed = true;
}

static void conn_abort(void *at)
{
	((struct fake_conn *)at)->aborted = true;
}

static void conn_release(void *at)
{
	((struct fake_conn *)at)->released = true;
}

static void conn_peer(const void *at, struct ip_addr *addr)
{
	*addr = ((const struct fake_conn *)at)->peer;
}

static void conn_set_user(void *at, void *user)
{
	((struct fake_conn *)at)->user = user;
}

static void *conn_user(const void *at)
{
	return ((const struct fake_conn *)at)->user;
}

static const struct stream_ops stream_fake = {conn_peek, conn_consume, conn_send, conn_window,
	conn_close, conn_abort, conn_release, conn_peer, conn_set_user, conn_user};

static void tell(struct fake_conn *conn, unsigned ready)
{
	if (conn->user)
		session_ready(conn->user, ready);
	fakes_run();
}

void fake_conn_open(struct fake_conn *conn, const char *peer)
{
	struct stream stream = {&stream_fake, conn};

	memset(conn, 0, sizeof(*conn));
	conn->room = fakes.starved ? 0 : SIZE_MAX;
	assert_int_equal(ip_addr_parse(bytes_str(peer), &conn->peer), 0);
	session_open(&fakes.worker, stream);
	tell(conn, TCP_READY_OPENED);
}

void fake_conn_say(struct fake_conn *conn, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	assert_true(conn->in_from + conn->in_len + len <= sizeof(conn->in));
	if (text)
		memcpy(conn->in + conn->in_from + conn->in_len, text, len);
	conn->in_len += len;
	tell(conn, text ? TCP_READY_READABLE : TCP_READY_PEER_SHUT);
}

void fake_conn_read(struct fake_conn *conn, size_t room)
{
	conn->room = room;
	tell(conn, TCP_READY_WRITABLE);
}

void fake_conn_break(struct fake_conn *conn)
{
	tell(conn, TCP_READY_FAILED);
}

const char *fake_conn_heard(struct fake_conn *conn)
{
	conn->out[conn->out_len] = '\0';
	conn->out_len = 0;
	return conn->out;
}

const char *fake_conn_codes(struct fake_conn *of)
{
	static char text[4096];
	struct bytes rest = bytes_str(fake_conn_heard(of)), line;
	size_t len = 0;

	text[0] = '\0';
	while (bytes_split(&rest, '\n', &line) && len + 6 < sizeof(text))
		if (line.len > 4 && line.data[3] == ' ')
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.3s",
				len ? " " : "", (const char *)line.data);
	return text;
}

/* --- the world around ---------------------------------------------------------------------------
 */

static unsigned answer_asker(struct asker *asker)
{
	struct dns_request request;
	unsigned n = 0;

	for (; !fakes.dns_silent && handoff_take(asker->to_resolver, &request, 1) > 0; n++) {
		struct dns_reply reply = {request.token,
			dns_zone_answer(fakes.zone, &auth_dns_parsers, &request.question)};

		handoff_post(asker->from_resolver, &reply);
	}
	handoff_ring(asker->from_resolver);
	return n;
}

unsigned fakes_answer_questions(void)
{
	struct asker *asker;
	unsigned n = 0;

	for (unsigned i = 0; (asker = fake_auth_asker(&fakes.worker, i)) != NULL; i++)
		n += answer_asker(asker);
	return n;
}

static void take_commits(void)
{
	while (handoff_take(fakes.worker.to_spooler, &fakes.at_spooler[fakes.n_at_spooler], 1) > 0)
		fakes.n_at_spooler++;
}

void fakes_run(void)
{
	unsigned n;

	do {
		n = worker_round(&fakes.worker);
		n += fake_auth_round(fakes.worker.now_us);
		n += fakes_answer_questions();
		take_commits();
	} while (n > 0);
}

void fakes_wait(uint32_t ms)
{
	for (uint32_t step; ms > 0; ms -= step) {
		step = ms < 100 ? ms : 100;
		fakes.worker.now_us += step * 1000;
		fakes.worker.now_unix_us += step * 1000;
		fakes_run();
	}
}

static void take_ahead(struct chunk *chunk)
{
	for (struct chunk *next; chunk; chunk = next) {
		next = chunk->next;
		fakes.octets_ahead += chunk_used(chunk);
		chunk_release(chunk);
	}
}

void fakes_commit(int error)
{
	struct spool_request *oldest = &fakes.at_spooler[0];
	struct spool_reply reply = {oldest->mail, oldest->kind, error};

	assert_true(fakes.n_at_spooler > 0);
	take_ahead(oldest->chunks);
	fakes.n_aborts += oldest->kind == SPOOL_REQUEST_ABORT;
	fakes.n_at_spooler--;
	memmove(oldest, oldest + 1, fakes.n_at_spooler * sizeof(*oldest));
	handoff_post(fakes.worker.from_spooler, &reply);
	fakes_run();
}

void fakes_nothing_is_left(void)
{
	struct worker *w = &fakes.worker;

	assert_true(TAILQ_EMPTY(&w->open));
	assert_int_equal(w->sessions.in_use, 0);
	assert_int_equal(w->mails.in_use, 0);
	assert_int_equal(w->lines.in_use, 0);
	assert_int_equal(w->blocks.in_use, 0);
	assert_int_equal(w->mail_blocks.in_use, 0);
	assert_int_equal(w->rests.in_use, 0);
	assert_int_equal(w->clients.entries.in_use, 0);
	assert_int_equal(w->wheel.armed, 0);
	chunk_pool_collect(&w->chunks);
	assert_int_equal(chunk_pool_in_use(&w->chunks), 0);
	assert_int_equal(fakes.spool_reserved, 0);
	assert_int_equal(w->mails_out, 0);
	fake_auth_nothing_is_left(w);
}

/* --- fixtures -----------------------------------------------------------------------------------
 */

#define TXT(name, text) name ". 60 IN TXT \"" text "\"\n"

static const char zone_text[] =
	TXT("strict.example", "v=spf1 -all") TXT("_dmarc.strict.example", "v=DMARC1; p=reject")
		TXT("broken.example", "v=spf1 -all") "_dmarc.broken.example. 60 IN SERVFAIL TXT\n";

static const char common[] = "hostname: mx.example\n"
			     "postmaster: pm@lab.example\n"
			     "domains: [lab.example]\n"
			     "listen: [{device: kernel, addresses: [127.0.0.1/8]}]\n"
			     "delivery: {backends: [{lmtp: \"unix:/none\"}]}\n"
			     "policy: {dmarc: {on_reject: reject}}\n";

static struct config *load(const char *yaml)
{
	char path[] = "/tmp/postern-session-XXXXXX";
	/* The same tests pass wherever mail is verified. */
	const char *auth = getenv("POSTERN_TEST_AUTH_LCORES");
	struct config_errors errors;
	struct config *config;
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	int error;

	fprintf(out, "%s%s", common, yaml);
	if (auth && !strstr(yaml, "lcores:"))
		fprintf(out, "lcores: {auth: %s}\n", auth);
	fclose(out);
	error = config_load(path, &config, &errors);
	unlink(path);
	if (error)
		fail_msg("%s", errors.error[0].text);
	return config;
}

static void make_handoffs(void)
{
	struct worker *w = &fakes.worker;
	unsigned mails = fakes.config->limits.mails;

	handoff_new("", mails * WORKER_REQUESTS_PER_MAIL, sizeof(struct spool_request), NULL,
		&w->to_spooler);
	handoff_new("", mails * WORKER_REQUESTS_PER_MAIL, sizeof(struct spool_reply), NULL,
		&w->from_spooler);
}

static void build(const char *yaml)
{
	char buffer[256];
	struct text why;

	text_init(&why, buffer, sizeof(buffer));
	fakes.config = load(yaml);
	assert_int_equal(
		worker_init(&fakes.worker, 0, fakes.config, (struct siphash_key){1, 2}), 0);
	assert_int_equal(
		recipients_new((const char *const *)fakes.config->domains, fakes.config->n_domains,
			fakes.config->postmaster, NULL, &fakes.recipients, &why),
		0);
	fakes.worker.recipients = fakes.recipients;
	assert_int_equal(log_ring_init(&fakes.worker.log, "test"), 0);
	fakes.worker.now_us = 1000000;
	fakes.worker.now_unix_us = UINT64_C(1700000000000000);
	wheel_init(&fakes.worker.wheel, fakes.worker.now_us);
	fake_auth_build(&fakes.worker, fakes.config);
	make_handoffs();
	assert_int_equal(dns_zone_parse(bytes_str(zone_text), "zone", &fakes.zone, &why), 0);
}

static void take_down(void)
{
	worker_fini(&fakes.worker);
	fake_auth_take_down();
	log_ring_fini(&fakes.worker.log);
	recipients_free(fakes.recipients);
	config_free(fakes.config);
	dns_zone_free(fakes.zone);
	memset(&fakes, 0, sizeof(fakes));
}

#define SMALL                                                                                      \
	"limits: {connections: 16, mails: 16, mail_memory: 4M, message_size: 128K, "               \
	"refuse_size: 64K, header_size: 16K, idle_timeout: 20s, data_timeout: 10s, "               \
	"odd_end_timeout: 2s, data_rate: 1000, client_connections: 3}\nauth: {patience: 5s}\n"

int fakes_setup(void **state)
{
	(void)state;
	build(SMALL);
	return 0;
}

int fakes_teardown(void **state)
{
	(void)state;
	take_down();
	return 0;
}

void fakes_configure(const char *yaml)
{
	take_down();
	build(yaml);
}
