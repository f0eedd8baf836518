#include "gateway/fake_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fakes fakes;

/* --- hand-overs: queues in memory, in the place of handoff.c -------------------------------------
 */

struct handoff {
	unsigned record_size, count, from, used;
	char *records;
};

int handoff_new(const char *name, unsigned count, unsigned record_size, struct doorbell *consumer,
	struct handoff **out)
{
	(void)name, (void)consumer;
	*out = calloc(1, sizeof(**out));
	assert_non_null(*out);
	(*out)->record_size = record_size;
	(*out)->count = count;
	(*out)->records = calloc(count, record_size);
	return 0;
}

void handoff_free(struct handoff *handoff)
{
	if (handoff)
		free(handoff->records);
	free(handoff);
}

static char *record_at(const struct handoff *handoff, unsigned i)
{
	return handoff->records +
	       (size_t)((handoff->from + i) % handoff->count) * handoff->record_size;
}

bool handoff_post(struct handoff *handoff, const void *record)
{
	/* Credit says that there is room. */
	assert_true(handoff->used < handoff->count);
	memcpy(record_at(handoff, handoff->used++), record, handoff->record_size);
	return true;
}

unsigned handoff_room(const struct handoff *handoff)
{
	return handoff->count - handoff->used;
}

void handoff_ring(struct handoff *handoff)
{
	(void)handoff;
}

unsigned handoff_take(struct handoff *handoff, void *records, unsigned n)
{
	unsigned taken = 0;

	for (; taken < n && handoff->used > 0; taken++) {
		memcpy((char *)records + (size_t)taken * handoff->record_size,
			record_at(handoff, 0), handoff->record_size);
		handoff->from = (handoff->from + 1) % handoff->count;
		handoff->used--;
	}
	return taken;
}

bool handoff_is_empty(const struct handoff *handoff)
{
	return handoff->used == 0;
}

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

static void answer_questions(void)
{
	struct dns_request request;

	while (!fakes.dns_silent && handoff_take(fakes.worker.asker.to_resolver, &request, 1) > 0) {
		struct dns_reply reply = {request.token,
			dns_zone_answer(fakes.zone, &auth_dns_parsers, &request.question)};

		handoff_post(fakes.worker.asker.from_resolver, &reply);
	}
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
		answer_questions();
		take_commits();
	} while (n > 0 || !handoff_is_empty(fakes.worker.asker.from_resolver));
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
	struct config_errors errors;
	struct config *config;
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	int error;

	fprintf(out, "%s%s", common, yaml);
	fclose(out);
	error = config_load(path, &config, &errors);
	unlink(path);
	if (error)
		fail_msg("%s", errors.error[0].text);
	return config;
}

static void make_auth(void)
{
	struct auth_config ac = auth_config_default;

	ac.authserv_id = ac.hostname = "mx.example";
	ac.max_mails = fakes.config->limits.mails;
	ac.max_header_bytes = fakes.config->limits.header_bytes;
	assert_int_equal(auth_engine_new(&ac, NULL, NULL, &fakes.worker.auth), 0);
	fakes.worker.verifier = &verifier_inline;
}

static void make_handoffs(void)
{
	struct worker *w = &fakes.worker;
	unsigned mails = fakes.config->limits.mails;

	asker_init(&w->asker, 0, NULL, NULL);
	assert_int_equal(early_new(NULL, NULL, (struct siphash_key){1, 2}, &w->asker.early), 0);
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
	make_auth();
	make_handoffs();
	assert_int_equal(dns_zone_parse(bytes_str(zone_text), "zone", &fakes.zone, &why), 0);
}

static void take_down(void)
{
	worker_fini(&fakes.worker);
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
