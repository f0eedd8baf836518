#include "gateway/shed.h"

#include "gateway/session.h"

bool shed_longest_idle(struct worker *worker)
{
	struct session *session;
	unsigned looked = 0;

	TAILQ_FOREACH(session, &worker->open, link)
	{
		if (worker->now_us - session->active_us < SHED_IDLE_US || looked++ == SHED_LOOK)
			return false;
		if (!session_is_idle(session))
			continue;
		session_shed(session);
		return true;
	}
	return false;
}

static enum tcp_pressure worst(const struct worker *worker)
{
	enum tcp_pressure worst = TCP_PRESSURE_NONE;

	for (unsigned i = 0; i < worker->n_lcores; i++) {
		enum tcp_pressure one = tcp_pressure(lcore_tcp(worker->lcores[i]));

		if (one > worst)
			worst = one;
	}
	return worst;
}

void shed_round(struct worker *worker)
{
	worker->pressure = worst(worker);
	if (worker->pressure >= TCP_PRESSURE_SHED)
		shed_longest_idle(worker);
}
