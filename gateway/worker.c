#include "gateway/worker.h"

#include "gateway/mail.h"
#include "gateway/mail_stream.h"
#include "gateway/policy_setup.h"
#include "gateway/session.h"
#include "gateway/shed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

COUNTERS_DEFINE(gateway, GATEWAY_COUNTERS)

/* Completions taken at a time. */
#define BURST 32
/* Poll rounds after the last mail, to send what was said. */
#define LAST_ROUNDS 32
/* Poll rounds between two looks at the kernel's sockets while the lcore is awake. */
#define KERNEL_ROUNDS 16
/* Poll rounds from there on are counted. */
#define LONG_ROUND_US 1000
/* Sessions whose time is up, in one poll round. */
#define TIMEOUTS 64
/* The true time is read again at most this often. */
#define UNIX_TIME_STEP_US 1000

/* --- memory -------------------------------------------------------------------------------------
 */

static int init_slabs(struct worker *worker, const struct config *config)
{
	const struct {
		struct slab *slab;
		size_t size;
		uint32_t count;
	} slabs[] = {
		{&worker->sessions, sizeof(struct session), config->limits.connections},
		{&worker->mails, sizeof(struct mail), config->limits.mails},
		{&worker->lines, config->limits.command_bytes, config->limits.connections},
		{&worker->blocks, ARENA_BLOCK_SIZE, worker_blocks(config)},
		{&worker->mail_blocks, WORKER_MAIL_BLOCK,
			config->limits.mails * WORKER_BLOCKS_PER_MAIL},
		{&worker->rests, WORKER_SCRATCH, config->limits.connections},
	};
	int error = 0;

	for (unsigned i = 0; error == 0 && i < sizeof(slabs) / sizeof(slabs[0]); i++)
		error = slab_init(slabs[i].slab, slabs[i].size, slabs[i].count);
	return error;
}

static void set_policies(struct worker *worker, const struct config *config)
{
	worker->config = config;
	worker->smtp = (struct smtp_config){
		.hostname = worker->boot->hostname,
		.max_size = config->limits.message_bytes,
		.max_recipients = config->limits.recipients,
		.max_command = worker->boot->limits.command_bytes,
		.max_errors = config->limits.errors,
		.max_transactions = config->limits.mails_per_connection,
		.refuse_bytes = config->limits.refuse_bytes,
	};
	policy_setup(config, &worker->policy);
}

int worker_init(
	struct worker *worker, unsigned index, const struct config *config, struct siphash_key key)
{
	int error;

	memset(worker, 0, sizeof(*worker));
	worker->index = index;
	worker->boot = config;
	set_policies(worker, config);
	gateway_counters_init(&worker->counters);
	TAILQ_INIT(&worker->open);
	queue_id_init(&worker->ids, index);
	error = init_slabs(worker, config);
	if (error == 0)
		error = clients_init(&worker->clients, config->limits.connections, key);
	if (error == 0 && config->log.traces > 0)
		error = trace_ring_new(config->log.traces, &worker->traces);
	if (error == 0)
		error = chunk_pool_init(&worker->chunks, config->limits.chunk_memory, NULL);
	if (error == 0)
		error = doorbell_init(&worker->bell);
	return error;
}

void worker_fini(struct worker *worker)
{
	struct slab *slabs[] = {&worker->sessions, &worker->mails, &worker->lines, &worker->blocks,
		&worker->mail_blocks, &worker->rests};

	for (unsigned i = 0; i < worker->n_lcores; i++)
		lcore_free(worker->lcores[i]);
	kernel_port_free(worker->kernel);
	auth_engine_free(worker->auth);
	asker_fini(&worker->asker);
	if (worker->rings)
		verifier_rings_fini(worker->rings);
	free(worker->rings);
	handoff_free(worker->to_spooler);
	handoff_free(worker->from_spooler);
	handoff_free(worker->to_sealer);
	handoff_free(worker->sealed);
	chunk_pool_fini(&worker->chunks);
	clients_fini(&worker->clients);
	trace_ring_free(worker->traces);
	for (unsigned i = 0; i < sizeof(slabs) / sizeof(slabs[0]); i++)
		slab_fini(slabs[i]);
	doorbell_fini(&worker->bell);
}

/* --- who is kept out ----------------------------------------------------------------------------
 */

/* Packets of our own TCP are dropped before they come here; the kernel's sockets know no rules. */
static bool is_denied(struct worker *worker, struct stream stream)
{
	struct ip_addr peer;

	if (!worker->access)
		return false;
	stream.ops->peer(stream.conn, &peer);
	if (!access_denies(worker->access, &peer, worker->now_us))
		return false;
	worker_count(worker, GATEWAY_DENIED);
	return true;
}

/* Rules are for connections that are open too: their peers would wait for us, and we for them. */
static void cut_denied(struct worker *worker)
{
	for (struct session *session = TAILQ_FIRST(&worker->open), *next; session; session = next) {
		next = TAILQ_NEXT(session, link);
		if (!access_denies(worker->access, &session->peer, worker->now_us))
			continue;
		worker_count(worker, GATEWAY_DENIED);
		session_cut(session);
	}
}

static void take_access(struct worker *worker)
{
	if (!latest_is_new(&worker->new_access))
		return;
	worker->access = latest_take(&worker->new_access);
	for (unsigned i = 0; i < worker->n_lcores; i++)
		net_set_access(lcore_net(worker->lcores[i]), worker->access);
	cut_denied(worker);
}

/* --- what is captured ----------------------------------------------------------------------------
 */

static void take_capture(struct worker *worker)
{
	struct capture *capture;

	if (!latest_is_new(&worker->new_capture))
		return;
	capture = latest_take(&worker->new_capture);
	for (unsigned i = 0; i < worker->n_lcores; i++)
		lcore_set_capture(worker->lcores[i], capture);
}

/* --- one poll round -----------------------------------------------------------------------------
 */

/* What kept everybody waiting: work of ours, or another thread on this CPU. */
static void note_round(struct worker *worker, uint64_t us)
{
	if (us >= LONG_ROUND_US)
		worker_count(worker, GATEWAY_ROUNDS_1MS);
	if (us >= 10 * LONG_ROUND_US)
		worker_count(worker, GATEWAY_ROUNDS_10MS);
}

static void read_clocks(struct worker *worker)
{
	uint64_t now = clock_fast_us(&worker->clock);

	if (!worker->slept)
		note_round(worker, now - worker->round_us);
	worker->slept = false;
	if (worker->now_unix_us == 0 || now - worker->unix_read_us >= UNIX_TIME_STEP_US) {
		worker->now_unix_us = clock_unix_us();
		worker->unix_read_us = now;
	}
	worker->now_us = worker->round_us = now;
}

/* So that what a verdict took is known to the microsecond. */
void worker_read_clock(struct worker *worker)
{
	if (worker->live)
		worker->now_us = clock_fast_us(&worker->clock);
}

/* Something happened to a connection (enum tcp_ready). */
static void take_connection(struct worker *worker, struct stream stream, unsigned ready)
{
	struct session *session = stream.ops->user(stream.conn);

	if (!session && (ready & (TCP_READY_FAILED | TCP_READY_CLOSED)))
		stream.ops->release(stream.conn);
	else if (!session && is_denied(worker, stream))
		stream_abort(stream);
	else if (!session)
		session = session_open(worker, stream);
	if (session)
		session_ready(session, ready);
}

static unsigned take_tcp(struct worker *worker, struct tcp_stack *tcp)
{
	struct stream stream = {.ops = &stream_tcp};
	unsigned ready, n = 0;

	for (; (stream.conn = tcp_next_ready(tcp, &ready)) != NULL; n++)
		take_connection(worker, stream, ready);
	return n;
}

/* The kernel's sockets cost a system call to look at: once in a while, and after every sleep. */
static unsigned take_kernel(struct worker *worker)
{
	struct stream stream = {.ops = &stream_kernel};
	unsigned ready, n = 0;

	if (!worker->kernel)
		return 0;
	if (worker->kernel_rounds++ % KERNEL_ROUNDS == 0)
		n = kernel_port_poll(worker->kernel, worker->now_us);
	for (; (stream.conn = kernel_next_ready(worker->kernel, &ready)) != NULL; n++)
		take_connection(worker, stream, ready);
	return n;
}

static unsigned take_spool_replies(struct worker *worker)
{
	struct spool_reply replies[BURST];
	unsigned n = handoff_take(worker->from_spooler, replies, BURST);

	for (unsigned i = 0; i < n; i++)
		mail_answered(&replies[i]);
	return n;
}

static void run_timers(struct worker *worker)
{
	struct wheel_timer *timer;

	for (unsigned n = 0; n < TIMEOUTS; n++) {
		timer = wheel_pop_expired(&worker->wheel, worker->now_us);
		if (!timer)
			break;
		session_timeout(WHEEL_OWNER(timer, struct session, timer));
	}
	if (wheel_is_behind(&worker->wheel))
		worker_count(worker, GATEWAY_TIMERS_PUT_OFF);
}

static unsigned receive(struct worker *worker)
{
	unsigned n = 0;

	for (unsigned i = 0; i < worker->n_lcores; i++)
		n += lcore_receive(worker->lcores[i], worker->now_us);
	for (unsigned i = 0; i < worker->n_lcores; i++)
		n += take_tcp(worker, lcore_tcp(worker->lcores[i]));
	return n + take_kernel(worker);
}

static unsigned send_all(struct worker *worker)
{
	unsigned n = 0;

	for (unsigned i = 0; i < worker->n_lcores; i++)
		n += lcore_send(worker->lcores[i], worker->now_us);
	return n;
}

/* Go over to the settings of a reload; nothing that points at the old ones outlives a round. */
static void adopt(struct worker *worker)
{
	const struct settings *offered =
		atomic_load_explicit(&worker->offered, memory_order_acquire);

	if (offered == atomic_load_explicit(&worker->adopted, memory_order_relaxed))
		return;
	set_policies(worker, offered->config);
	worker->recipients = offered->recipients;
	atomic_store_explicit(&worker->adopted, offered, memory_order_release);
}

unsigned worker_round(struct worker *worker)
{
	unsigned n;

	worker_count(worker, GATEWAY_POLLS);
	adopt(worker);
	take_access(worker);
	take_capture(worker);
	n = receive(worker);
	shed_round(worker);
	n += worker->verifier->take(worker);
	n += take_spool_replies(worker);
	n += worker->verifier->run(worker, n == 0);
	mail_stream_send(worker);
	n += worker->verifier->verdicts(worker);
	run_timers(worker);
	worker->verifier->send(worker);
	handoff_ring(worker->to_spooler);
	if (worker->to_sealer)
		handoff_ring(worker->to_sealer);
	return n + send_all(worker);
}

/* --- the thread ---------------------------------------------------------------------------------
 */

static void listen_no_more(struct worker *worker)
{
	for (unsigned i = 0; i < worker->n_lcores; i++) {
		const struct config_listen *listen = worker->listens[i];

		for (unsigned p = 0; p < listen->n_ports; p++)
			tcp_unlisten(lcore_tcp(worker->lcores[i]), listen->ports[p]);
	}
	if (worker->kernel)
		kernel_port_unlisten(worker->kernel);
}

bool worker_drain(struct worker *worker)
{
	unsigned left = 0;

	if (!worker->draining) {
		worker->draining = true;
		worker->drain_until_us =
			worker->now_us + (uint64_t)worker->config->limits.drain_s * 1000000;
		listen_no_more(worker);
	}
	for (struct session *session = TAILQ_FIRST(&worker->open), *next; session; session = next) {
		next = TAILQ_NEXT(session, link);
		if (!session_drain(session))
			left++;
	}
	for (unsigned i = 0; i < worker->n_lcores; i++)
		left += tcp_open_connections(lcore_tcp(worker->lcores[i]));
	if (worker->kernel)
		left += kernel_open_connections(worker->kernel);
	return (left == 0 && worker->mails_out == 0) || worker->now_us > worker->drain_until_us;
}

void worker_run(struct worker *worker)
{
	clock_fast_init(&worker->clock);
	worker->live = true;
	worker->slept = true; /* there was no round before the first */
	read_clocks(worker);
	wheel_init(&worker->wheel, worker->now_us);
	for (;;) {
		unsigned done;

		read_clocks(worker);
		done = worker_round(worker);
		if (atomic_load_explicit(&worker->stop, memory_order_acquire) &&
			worker_drain(worker))
			break;
		worker_rest(worker, done > 0);
	}
	/* What drain() said is still to go out. */
	for (unsigned i = 0; i < LAST_ROUNDS; i++) {
		read_clocks(worker);
		worker_round(worker);
	}
}
