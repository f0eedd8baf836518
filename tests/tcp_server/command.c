#include "tests/tcp_server/command.h"

#include "base/counters.h"

#include <errno.h>

#define ARGS_MAX    4u
#define WAIT_MAX_MS 600000u
/* How far one command may move the clock, and how often the stack may want to act meanwhile. */
#define STEP_MAX_US    (7ull * 86400u * 1000000u)
#define STEP_ROUNDS    1000000u
#define WINDOW_DEFAULT (1u << 18)
#define WINDOW_MAX     (8u << 20)

struct call {
	struct command_host *host;
	struct bytes args[ARGS_MAX];
	unsigned n;
	uint64_t waited_ms, patience_ms;
	struct text *reply; /* what follows "ok" */
};

/* 0, or -errno; -EINPROGRESS: to be run again. */
typedef int (*command_fn)(struct call *call);

/* --- arguments --- */

static int number(const struct call *call, unsigned i, uint64_t max, uint64_t *value)
{
	return bytes_to_u64(call->args[i], max, value) < 0 ? -EINVAL : 0;
}

/* A number that may be left out. */
static int number_or(const struct call *call, unsigned i, uint64_t max, uint64_t *value)
{
	return i < call->n ? number(call, i, max, value) : 0;
}

static int socket_of(const struct call *call, struct test_socket **socket)
{
	uint64_t id;

	if (bytes_to_u64(call->args[0], UINT64_MAX, &id) < 0)
		return -EINVAL;
	*socket = sockets_find(call->host->sockets, id);
	return *socket ? 0 : -EBADF;
}

/* The milliseconds to wait, argument `i` if there are so many. */
static int take_patience(struct call *call, unsigned i)
{
	return number_or(call, i, WAIT_MAX_MS, &call->patience_ms);
}

/* What a command says that found nothing yet. */
static int wait_more(const struct call *call)
{
	return call->waited_ms < call->patience_ms ? -EINPROGRESS : -EAGAIN;
}

static int failure(const struct test_socket *socket)
{
	switch (tcp_error(socket->conn)) {
	case TCP_FAIL_NONE: return 0;
	case TCP_FAIL_RESET: return -ECONNRESET;
	case TCP_FAIL_TIMEOUT: return -ETIMEDOUT;
	case TCP_FAIL_REFUSED: return -ECONNREFUSED;
	case TCP_FAIL_LINGER: return -ECONNABORTED;
	case TCP_FAIL_MEMORY: return -ENOMEM;
	}
	return -EIO;
}

static struct tcp_stack *stack_of(const struct call *call)
{
	return lcore_tcp(call->host->lcore);
}

/* --- opening --- */

/* Of ours or the peer's. */
static int port_of(const struct call *call, unsigned i, uint64_t *port)
{
	return number(call, i, 65535, port) < 0 || *port == 0 ? -EINVAL : 0;
}

static int do_listen(struct call *call)
{
	uint64_t port, window = WINDOW_DEFAULT;

	if (port_of(call, 0, &port) < 0 || number_or(call, 1, WINDOW_MAX, &window) < 0)
		return -EINVAL;
	return tcp_listen(stack_of(call), (uint16_t)port, (uint32_t)window);
}

static int do_unlisten(struct call *call)
{
	uint64_t port;

	if (port_of(call, 0, &port) < 0)
		return -EINVAL;
	tcp_unlisten(stack_of(call), (uint16_t)port);
	return 0;
}

static int do_accept(struct call *call)
{
	struct test_socket *socket;
	char address[IP_ADDR_TEXT_MAX];
	struct ip_addr peer;
	uint16_t port;

	if (take_patience(call, 0) < 0)
		return -EINVAL;
	socket = sockets_accept(call->host->sockets);
	if (!socket)
		return wait_more(call);
	tcp_peer(socket->conn, &peer, &port);
	ip_addr_format(&peer, address);
	text_printf(call->reply, " %u %s %u", socket->id, address, port);
	return 0;
}

static int do_connect(struct call *call)
{
	struct command_host *host = call->host;
	struct tcp_conn *conn;
	struct test_socket *socket;
	struct ip_addr peer;
	uint64_t port;
	int rc;

	if (ip_addr_parse(call->args[0], &peer) < 0 || port_of(call, 1, &port) < 0)
		return -EINVAL;
	rc = tcp_connect(stack_of(call), &peer, (uint16_t)port, WINDOW_DEFAULT,
		test_clock_us(host->clock), &conn);
	if (rc < 0)
		return rc;
	socket = sockets_add(host->sockets, conn);
	if (!socket) {
		tcp_abort(conn);
		return -EMFILE;
	}
	text_printf(call->reply, " %u", socket->id);
	return 0;
}

static int do_established(struct call *call)
{
	struct test_socket *socket;
	int rc = socket_of(call, &socket);

	if (rc < 0)
		return rc;
	if (take_patience(call, 1) < 0)
		return -EINVAL;
	if (socket->opened)
		return 0;
	return socket->done ? failure(socket) : wait_more(call);
}

/* --- octets --- */

static int do_send(struct call *call)
{
	static uint8_t octets[COMMAND_OCTETS_MAX];
	struct bytes hex = call->args[1];
	struct test_socket *socket;
	int rc = socket_of(call, &socket);

	if (rc < 0)
		return rc;
	if (hex.len % 2 || hex.len / 2 > sizeof(octets))
		return -EINVAL;
	for (size_t i = 0; i < hex.len; i += 2) {
		int high = ascii_hex_value(hex.data[i]), low = ascii_hex_value(hex.data[i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		octets[i / 2] = (uint8_t)(high << 4 | low);
	}
	if (socket->done)
		return failure(socket) ? failure(socket) : -EPIPE;
	text_printf(call->reply, " %u", tcp_send(socket->conn, bytes_of(octets, hex.len / 2)));
	return 0;
}

static void put_hex(struct text *out, struct bytes octets)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < octets.len; i++) {
		text_putc(out, digits[octets.data[i] >> 4]);
		text_putc(out, digits[octets.data[i] & 15]);
	}
}

static int do_recv(struct call *call)
{
	struct test_socket *socket;
	struct bytes run;
	uint64_t most;
	int rc = socket_of(call, &socket);

	if (rc < 0)
		return rc;
	/* No octets at all would read like the peer's FIN. */
	if (number(call, 1, COMMAND_OCTETS_MAX, &most) < 0 || most == 0 ||
		take_patience(call, 2) < 0)
		return -EINVAL;
	if (tcp_unread(socket->conn) == 0) {
		if (socket->done && failure(socket))
			return failure(socket);
		return socket->shut ? 0 : wait_more(call);
	}
	text_putc(call->reply, ' ');
	while (most > 0 && (run = tcp_peek(socket->conn)).len > 0) {
		run = bytes_slice(run, 0, most);
		put_hex(call->reply, run);
		most -= run.len;
		tcp_consume(socket->conn, (uint32_t)run.len);
	}
	return 0;
}

static int do_window(struct call *call)
{
	struct test_socket *socket;
	uint64_t window;
	int rc = socket_of(call, &socket);

	if (rc < 0)
		return rc;
	if (number(call, 1, WINDOW_MAX, &window) < 0)
		return -EINVAL;
	tcp_set_receive_window(socket->conn, (uint32_t)window);
	return 0;
}

/* --- the end --- */

static int do_shutdown(struct call *call)
{
	struct test_socket *socket;
	int rc = socket_of(call, &socket);

	if (rc < 0)
		return rc;
	tcp_shutdown(socket->conn);
	return 0;
}

static int leave(struct call *call, void (*how)(struct tcp_conn *))
{
	struct test_socket *socket;
	int rc = socket_of(call, &socket);

	if (rc < 0)
		return rc;
	if (socket->done)
		tcp_release(socket->conn);
	else
		how(socket->conn);
	sockets_remove(call->host->sockets, socket);
	return 0;
}

static int do_close(struct call *call)
{
	return leave(call, tcp_close);
}

static int do_abort(struct call *call)
{
	return leave(call, tcp_abort);
}

/* --- looking --- */

static int do_state(struct call *call)
{
	struct test_socket *socket;
	int rc = socket_of(call, &socket);

	if (rc < 0)
		return rc;
	text_printf(call->reply, " %s unread %u unacked %u", tcp_state_of(socket->conn),
		tcp_unread(socket->conn), tcp_unacked(socket->conn));
	return 0;
}

struct wanted_counter {
	struct bytes name;
	struct text *out;
	bool found;
};

static void look_at_counter(
	void *arg, const char *set, const char *name, const char *help, uint64_t value)
{
	struct wanted_counter *wanted = arg;

	(void)set, (void)help;
	if (!bytes_eq(bytes_str(name), wanted->name))
		return;
	text_printf(wanted->out, " %llu", (unsigned long long)value);
	wanted->found = true;
}

static int do_counter(struct call *call)
{
	struct wanted_counter wanted = {call->args[0], call->reply, false};
	struct counters_registry registry;

	counters_registry_init(&registry);
	counters_register(&registry, lcore_counters(call->host->lcore));
	counters_register(&registry, net_counters(lcore_net(call->host->lcore)));
	counters_register(&registry, tcp_counters(stack_of(call)));
	counters_each(&registry, look_at_counter, &wanted);
	return wanted.found ? 0 : -ENOENT;
}

/* --- time and numbers --- */

/* Through every deadline on the way, so that nothing comes late or at once. */
static int step(struct command_host *host, uint64_t us)
{
	uint64_t now_us = test_clock_us(host->clock), target_us = now_us + us;

	for (unsigned rounds = 0; rounds < STEP_ROUNDS; rounds++) {
		uint64_t next_us = lcore_next_deadline_us(host->lcore);

		if (next_us <= now_us)
			next_us = now_us + 1;
		now_us = next_us < target_us ? next_us : target_us;
		test_clock_set(host->clock, now_us);
		host->round(host);
		if (now_us >= target_us)
			return 0;
	}
	return -EOVERFLOW;
}

static int do_clock(struct call *call)
{
	struct test_clock *clock = call->host->clock;
	struct bytes how = call->n > 0 ? call->args[0] : bytes_of("", 0);
	uint64_t us;
	int rc = 0;

	if (bytes_starts(how, BYTES("+"))) {
		if (bytes_to_u64(bytes_from(how, 1), STEP_MAX_US, &us) < 0)
			return -EINVAL;
		rc = step(call->host, us);
	} else if (bytes_eq(how, BYTES("hold"))) {
		test_clock_hold(clock);
	} else if (bytes_eq(how, BYTES("run"))) {
		test_clock_run(clock);
	} else if (how.len > 0) {
		return -EINVAL;
	}
	text_printf(call->reply, " %llu", (unsigned long long)test_clock_us(clock));
	return rc;
}

static int do_isn(struct call *call)
{
	uint64_t isn;

	if (number(call, 0, UINT32_MAX, &isn) < 0)
		return -EINVAL;
	return tcp_set_next_isn(stack_of(call), (uint32_t)isn);
}

static int do_quit(struct call *call)
{
	call->host->quit = true;
	return 0;
}

/* --- the table --- */

static const struct command {
	const char *name;
	unsigned min, max; /* arguments */
	command_fn fn;
} commands[] = {
	{"listen", 1, 2, do_listen},
	{"unlisten", 1, 1, do_unlisten},
	{"accept", 0, 1, do_accept},
	{"connect", 2, 2, do_connect},
	{"established", 1, 2, do_established},
	{"send", 2, 2, do_send},
	{"recv", 2, 3, do_recv},
	{"window", 2, 2, do_window},
	{"shutdown", 1, 1, do_shutdown},
	{"close", 1, 1, do_close},
	{"abort", 1, 1, do_abort},
	{"state", 1, 1, do_state},
	{"counter", 1, 1, do_counter},
	{"clock", 0, 1, do_clock},
	{"isn", 1, 1, do_isn},
	{"quit", 0, 0, do_quit},
};

static const struct command *find(struct bytes name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (bytes_eq(name, bytes_str(commands[i].name)))
			return &commands[i];
	return NULL;
}

static int run(struct call *call, struct bytes line)
{
	struct bytes word = {NULL, 0};
	const struct command *command;

	bytes_split(&line, ' ', &word);
	command = find(word);
	if (!command)
		return -ENOSYS;
	while (bytes_split(&line, ' ', &word)) {
		if (call->n == ARGS_MAX)
			return -EINVAL;
		call->args[call->n++] = word;
	}
	if (call->n < command->min || call->n > command->max)
		return -EINVAL;
	return command->fn(call);
}

void command_refuse(int error, struct text *reply)
{
	text_reset(reply);
	text_printf(reply, "err %s\n", strerrorname_np(error));
}

bool command_run(
	struct command_host *host, struct bytes line, uint64_t waited_ms, struct text *reply)
{
	struct call call = {.host = host, .waited_ms = waited_ms, .reply = reply};
	int rc;

	text_reset(reply);
	text_put(reply, BYTES("ok"));
	rc = run(&call, line);
	if (rc == -EINPROGRESS)
		return false;
	if (rc < 0)
		command_refuse(-rc, reply);
	else
		text_putc(reply, '\n');
	return true;
}
