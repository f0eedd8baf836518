#include "dataplane/tcp/tcp_rtt_priv.h"

void tcp_rtt_init(struct tcp_rtt *r)
{
	*r = (struct tcp_rtt){.rto_us = TCP_RTO_INITIAL_US};
}

static uint32_t computed_rto(const struct tcp_rtt *r)
{
	uint64_t var = 4 * (uint64_t)r->rttvar_us;
	uint64_t rto;

	if (r->srtt_us == 0)
		return TCP_RTO_INITIAL_US;
	/* The floor stands under the variance, so that an even line never times out early. */
	rto = r->srtt_us + (var < TCP_RTO_MIN_US ? TCP_RTO_MIN_US : var);
	return rto > TCP_RTO_MAX_US ? TCP_RTO_MAX_US : (uint32_t)rto;
}

void tcp_rtt_sample(struct tcp_rtt *r, uint32_t rtt_us)
{
	if (rtt_us == 0)
		rtt_us = 1;
	if (rtt_us > TCP_RTO_MAX_US)
		rtt_us = TCP_RTO_MAX_US;
	if (r->srtt_us == 0) {
		r->srtt_us = rtt_us;
		r->rttvar_us = rtt_us / 2;
	} else {
		uint32_t off = r->srtt_us > rtt_us ? r->srtt_us - rtt_us : rtt_us - r->srtt_us;

		r->rttvar_us += (off >> 2) - (r->rttvar_us >> 2);
		r->srtt_us += (rtt_us >> 3) - (r->srtt_us >> 3);
		if (r->srtt_us == 0)
			r->srtt_us = 1;
	}
	r->backoff = 0;
	r->rto_us = computed_rto(r);
}

void tcp_rtt_backoff(struct tcp_rtt *r)
{
	r->backoff++;
	r->rto_us = r->rto_us > TCP_RTO_MAX_US / 2 ? TCP_RTO_MAX_US : r->rto_us * 2;
}
