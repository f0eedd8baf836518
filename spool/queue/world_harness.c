#include "spool/queue/world_harness.h"

#include <errno.h>
#include <unistd.h>

#include "base/queue_id.h"

struct world world;

static void *relay_main(void *arg)
{
	while (!atomic_load(&world.relay_stop))
		relay_run_once(arg, 100);
	return NULL;
}

void world_open(void)
{
	struct spool_log_config config = {
		.path = "sim", .segment_bytes = 1 << 20, .memory_bytes = 1 << 16};
	struct spool_item *item;
	char buf[256];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	if (spool_log_open(&config, log_sim_io(world.sim), &world.log, &why) != 0)
		fail_msg("%s", text_str(&why));
	struct delivery_config dc = {
		.backends = {{.address = world.address, .connections = 2}},
		.n_backends = 1,
		.hostname = "mx.example.org",
		.retry_min_s = 1,
		.retry_max_s = 2,
		.expire_s = world.expire_s,
		.connect_timeout_ms = 1000,
		.reply_timeout_ms = 5000,
		.dead_keep_s = world.dead_keep_s,
		.warn_s = world.warn_s,
		.digest_s = world.digest_s,
		.postmaster = "master@example.org",
		.relay.url = world.relay,
		.seed = 1,
	};
	if (delivery_new(&dc, world.log, &world.events, &world.delivery, &why) != 0)
		fail_msg("%s", text_str(&why));
	if (delivery_relay(world.delivery))
		pthread_create(
			&world.relay_thread, NULL, relay_main, delivery_relay(world.delivery));
	while ((item = spool_log_recovered(world.log)))
		delivery_add(world.delivery, item, clock_mono_us());
}

void world_close(void)
{
	if (delivery_relay(world.delivery)) {
		atomic_store(&world.relay_stop, true);
		relay_end(delivery_relay(world.delivery));
		pthread_join(world.relay_thread, NULL);
		atomic_store(&world.relay_stop, false);
	}
	delivery_free(world.delivery);
	spool_log_close(world.log);
}

void world_begin_with(bool chunking, bool pipelining, const char *relay)
{
	struct fake_lmtp_config config = {world.path, chunking, pipelining};

	memset(&world, 0, sizeof(world));
	world.relay = relay;
	world.expire_s = 3600;
	snprintf(world.path, sizeof(world.path), "/tmp/fake-lmtp.%d", (int)getpid());
	snprintf(world.address, sizeof(world.address), "unix:%s", world.path);
	world.next_id = clock_unix_us() << QUEUE_ID_LCORE_BITS;
	world.sim = log_sim_new(1);
	world.server = fake_lmtp_new(&config);
	assert_int_equal(chunk_pool_init(&world.pool, 4 << 20, NULL), 0);
	assert_int_equal(log_ring_init(&world.events, "test"), 0);
	world_open();
}

void world_begin(bool chunking, bool pipelining)
{
	world_begin_with(chunking, pipelining, NULL);
}

void world_end(void)
{
	world_close();
	fake_lmtp_free(world.server);
	if (world.relay_server)
		fake_lmtp_free(world.relay_server);
	log_sim_free(world.sim);
	log_ring_fini(&world.events);
	chunk_pool_collect(&world.pool);
	chunk_pool_fini(&world.pool);
}

static void on_ack(void *arg, const struct spool_ack *ack)
{
	(void)arg;
	assert_int_equal(ack->error, 0);
	if (ack->cookie.word[0]) {
		struct delivery_mail *mail = (struct delivery_mail *)(uintptr_t)ack->cookie.word[0];

		mail->item = ack->item;
		mail->error = 0;
		delivery_committed(world.delivery, mail);
		return;
	}
	delivery_add(world.delivery, ack->item, clock_mono_us());
}

static void commit_own(struct delivery_mail *mail)
{
	struct spool_cookie cookie = {{(uintptr_t)mail, 0}};

	world.asked++;
	mail->error = world.refuse ? -EIO
				   : spool_log_commit_bytes(
					     world.log, &mail->envelope, mail->content, cookie);
	if (!mail->error)
		return;
	world.refuse--;
	delivery_committed(world.delivery, mail);
}

void world_take_notes(void)
{
	struct delivery_note n;

	while (delivery_next_note(world.delivery, &n)) {
		if (n.kind == DELIVERY_NOTE_DONE)
			spool_log_done(world.log, n.queue_id, n.recipient, n.outcome);
		else if (n.kind == DELIVERY_NOTE_MAIL)
			commit_own(n.mail);
		else
			spool_log_shelve(world.log, n.queue_id, n.shelf, n.since_s);
		world.done += n.kind == DELIVERY_NOTE_DONE;
		world.held += n.kind == DELIVERY_NOTE_SHELF && n.shelf == SPOOL_ON_HOLD;
		world.dead += n.kind == DELIVERY_NOTE_SHELF && n.shelf == SPOOL_ON_DEAD;
		world.released += n.kind == DELIVERY_NOTE_SHELF && n.shelf == SPOOL_IN_QUEUE;
	}
	spool_log_sync(world.log, on_ack, NULL);
}

void world_step(void)
{
	delivery_run_once(world.delivery, -1, 1);
	fake_lmtp_step(world.server);
	if (world.relay_server)
		fake_lmtp_step(world.relay_server);
	world_take_notes();
}

void world_begin_relay(void)
{
	struct fake_lmtp_config config = {NULL, false, false};
	struct fake_lmtp *server = fake_lmtp_new(&config);
	char url[64];

	snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", fake_lmtp_port(server));
	world_begin_with(true, true, url);
	world.relay_server = server;
	snprintf(world.url, sizeof(world.url), "%s", url);
	world.relay = world.url;
}

/* `to`: addresses separated by blanks; those with a '!' in front get the Junk copy. */
uint64_t world_submit_from(const char *from, const char *to, struct bytes body, uint32_t flags)
{
	struct chunk_range range = {chunk_get(&world.pool, CHUNK_LARGE), 0, (uint32_t)body.len};
	struct spool_recipient recipients[16];
	struct bytes rest = bytes_str(to), one;
	static const struct spool_cut cut = {0, 6};
	struct spool_envelope e = {
		.queue_id = world.next_id += 1 << QUEUE_ID_LCORE_BITS,
		.received_unix_us = clock_unix_us(),
		.flags = flags,
		.reverse_path = bytes_str(from),
		.envid = bytes_str(world.envid ? world.envid : ""),
		.client = BYTES("client"),
		.recipients = recipients,
		.prepend = BYTES("Received: here\r\n"),
		.quarantine_prepend = BYTES("X-Postern-Quarantine: yes\r\n"),
		.n_cuts = bytes_starts(body, BYTES("C: x\r\n")) ? 1 : 0,
		.cuts = &cut,
		.content_octets = body.len,
	};

	while (bytes_split(&rest, ' ', &one)) {
		bool quarantine = bytes_starts(one, BYTES("!"));

		recipients[e.n_recipients++] = (struct spool_recipient){
			.address = bytes_from(one, quarantine),
			.flags = quarantine ? SPOOL_RCPT_QUARANTINE : 0,
			.notify = world.notify,
			.orcpt = bytes_str(world.orcpt ? world.orcpt : ""),
		};
	}
	chunk_append(range.chunk, body);
	assert_int_equal(
		spool_log_commit(world.log, &e, &range, 1, (struct spool_cookie){{0, 0}}), 0);
	chunk_release(range.chunk);
	spool_log_sync(world.log, on_ack, NULL);
	return e.queue_id;
}

uint64_t world_submit_flags(const char *to, struct bytes body, uint32_t flags)
{
	return world_submit_from("sender@example.com", to, body, flags);
}

uint64_t world_submit_authentic(const char *from, const char *to)
{
	return world_submit_from(
		from, to, BYTES("Subject: s\r\n\r\nbody\r\n"), SPOOL_MAIL_SENDER_AUTHENTIC);
}

uint64_t world_submit(const char *to)
{
	return world_submit_flags(to, BYTES("C: x\r\nSubject: s\r\n\r\n.body\r\n"), 0);
}

static void find_status(void *arg, const struct delivery_status *status)
{
	struct delivery_status *wanted = arg;

	if (status->queue_id == wanted->queue_id)
		*wanted = *status;
}

/* -1: not in the queue. */
int world_state_of(uint64_t queue_id)
{
	struct delivery_status s = {.queue_id = queue_id, .state = (enum delivery_state) - 1};

	delivery_list(world.delivery, find_status, &s);
	return (int)s.state;
}

uint64_t world_count_of(const struct counter_block *b, const char *name)
{
	for (size_t i = 0; i < b->set->count; i++)
		if (strcmp(b->set->entries[i].name, name) == 0)
			return counter_get(&b->values[i]);
	fail_msg("no counter %s", name);
	return 0;
}

bool world_logged(const char *text)
{
	const struct log_record *r;
	bool found = false;

	while ((r = spsc_peek(&world.events.ring))) {
		char line[LOG_RECORD_SIZE];

		snprintf(line, sizeof(line), "%.*s", (int)r->len, r->text);
		found |= strstr(line, text) != NULL;
		spsc_pop(&world.events.ring);
	}
	return found;
}

uint64_t world_count(const char *name)
{
	return world_count_of(delivery_counters(world.delivery), name);
}
