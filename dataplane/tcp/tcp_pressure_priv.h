/* Memory for received packets that runs short: what is given up first (tcp_pressure() in tcp.h). */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

/* In use, of receive_bytes_max, before windows shrink: asked for every segment. */
#define TCP_PRESSURE_NARROW_SIXTEENTHS 12u

static inline bool tcp_pressure_is_narrow(const struct tcp_stack *stack)
{
	return stack->receive_held * 16 >
	       (uint64_t)stack->config.receive_bytes_max * TCP_PRESSURE_NARROW_SIXTEENTHS;
}

/* Once a poll round: counts when windows begin to shrink. */
void tcp_pressure_watch(struct tcp_stack *stack);
