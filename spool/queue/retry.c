#include "spool/queue/retry.h"

uint64_t retry_wait_us(const struct retry_policy *policy, unsigned attempt, uint64_t random)
{
	uint64_t wait = policy->min_us;
	uint64_t part;

	while (--attempt > 0 && wait < policy->max_us)
		wait *= 2;
	if (wait > policy->max_us)
		wait = policy->max_us;
	part = wait / RETRY_JITTER_PART;
	return part ? wait - random % part : wait;
}
