#include "gateway/memory_plan.h"

#include "gateway/auth_lcore.h"
#include "gateway/mail.h"
#include "gateway/session.h"
#include "spool/queue/delivery.h"

/* A closed connection's entry in TIME-WAIT, and its place in that table. */
#define TIME_WAIT_OCTETS 112

/* A mail's place at its io lcore, and one in the table of each auth lcore. */
static uint64_t verified_octets(const struct config *config)
{
	return sizeof(struct verifier_slot) + verifier_rings_text_max(config) +
	       config->lcores.auth * sizeof(struct auth_job);
}

unsigned memory_plan(const struct config *config, struct memory_plan_line lines[MEMORY_PLAN_LINES])
{
	const uint64_t io = config->lcores.io;
	const uint64_t connections = config->limits.connections * io;
	const struct memory_plan_line plan[] = {
		{"packet buffers and rings", "lcores.memory", config->lcores.memory},
		{"rings of auth lcores", "lcores.auth, limits.mails",
			auth_lcore_rings_octets(config)},
		{"connections: TCP", "limits.connections",
			io * worker_tcp_connections(config) * TCP_CONNECTION_OCTETS +
				connections * TIME_WAIT_OCTETS},
		{"replies on their way", "limits.connections",
			io * worker_send_blocks(config) * TCP_SEND_BLOCK_OCTETS},
		{"connections: SMTP", "limits.connections",
			connections * (sizeof(struct session) + SESSION_CLIENT_OCTETS)},
		{"command lines not yet whole", "limits.connections",
			connections * config->limits.command_bytes},
		{"replies not yet sent", "limits.connections", connections * WORKER_SCRATCH},
		{"envelopes", "limits.connections, limits.mails",
			io * worker_blocks(config) * ARENA_BLOCK_SIZE},
		{"mails under way", "limits.mails",
			config->limits.mails * io *
				(sizeof(struct mail) + WORKER_BLOCKS_PER_MAIL * WORKER_MAIL_BLOCK)},
		{"header sections", "limits.mails, limits.header_size",
			config->limits.mails * io * config->limits.header_bytes},
		{"mails at auth lcores", "lcores.auth, limits.mails",
			config->lcores.auth ? config->limits.mails * io * verified_octets(config)
					    : 0},
		{"content of mails", "limits.mail_memory", config->limits.chunk_memory * io},
		{"traces of recent mails", "log.traces", config->log.traces * io * TRACE_RING_SLOT},
		{"DNS answers", "dns.cache_size", config->dns.cache_bytes},
		{"mail waiting for delivery", "spool.memory", config->spool.memory_bytes},
		{"index of undelivered mail", "spool.max_messages",
			config->spool.max_messages * DELIVERY_INDEX_OCTETS},
	};
	const unsigned n = sizeof(plan) / sizeof(plan[0]);

	_Static_assert(sizeof(plan) / sizeof(plan[0]) <= MEMORY_PLAN_LINES, "room for the plan");
	memcpy(lines, plan, sizeof(plan));
	return n;
}

void memory_plan_print(const struct config *config, FILE *out)
{
	struct memory_plan_line lines[MEMORY_PLAN_LINES];
	unsigned n = memory_plan(config, lines);
	uint64_t sum = 0;

	fputs("Memory at most (taken as it is needed):\n", out);
	for (unsigned i = 0; i < n; i++) {
		fprintf(out, "  %8.1f MiB  %-28s %s\n", (double)lines[i].octets / (1 << 20),
			lines[i].what, lines[i].key);
		sum += lines[i].octets;
	}
	fprintf(out, "  %8.1f MiB  in all\n", (double)sum / (1 << 20));
}
