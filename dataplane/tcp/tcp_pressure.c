#include "dataplane/tcp/tcp_pressure_priv.h"

/* Sixteenths of receive_bytes_max in use at which each step is reached. */
static const uint8_t steps[] = {
	[TCP_PRESSURE_NARROW] = TCP_PRESSURE_NARROW_SIXTEENTHS,
	[TCP_PRESSURE_BUSY] = 13,
	[TCP_PRESSURE_SHED] = 14,
	[TCP_PRESSURE_SHUT] = 15,
};

static bool reached(const struct tcp_stack *stack, enum tcp_pressure step)
{
	return stack->receive_held * 16 > (uint64_t)stack->config.receive_bytes_max * steps[step];
}

enum tcp_pressure tcp_pressure(const struct tcp_stack *stack)
{
	enum tcp_pressure step = TCP_PRESSURE_NONE;

	while (step < TCP_PRESSURE_SHUT && reached(stack, step + 1))
		step++;
	return step;
}

void tcp_pressure_watch(struct tcp_stack *stack)
{
	bool narrow = tcp_pressure_is_narrow(stack);

	if (narrow && !stack->narrow)
		tcp_count(stack, TCP_N_WINDOWS_NARROWED);
	stack->narrow = narrow;
}
