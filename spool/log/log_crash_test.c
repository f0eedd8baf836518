#include "base/testing.h"

#include "spool/log/history.h"
#include "spool/log/log_sim.h"

#define SEGMENT    (32u << 10)
#define MAX_OCTETS 20000u

static const struct spool_log_config config = {
	.path = "sim",
	.segment_bytes = SEGMENT,
	.memory_bytes = 64 << 10,
	.batch_bytes = 16 << 10,
};

static struct history history; /* large */
static struct chunk_pool pool;

static struct spool_log *open_log(struct log_sim *sim)
{
	struct spool_log *log;
	char buf[512];
	struct text why;
	int r;

	text_init(&why, buf, sizeof(buf));
	r = spool_log_open(&config, log_sim_io(sim), &log, &why);
	if (r != 0)
		fail_msg("cannot open: %s", text_str(&why));
	assert_string_equal(text_str(&why), "");
	return log;
}

/* May fail while faults are about. */
static struct spool_log *try_open(struct log_sim *sim)
{
	struct spool_log *log;
	char buf[512];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	return spool_log_open(&config, log_sim_io(sim), &log, &why) == 0 ? log : NULL;
}

struct plan {
	uint64_t seed;
	unsigned steps;
	enum log_sim_fault fault;
	uint64_t call;
	enum log_sim_crash crash;
	uint64_t crash_seed;
};

/* Returns the number of changing calls. */
static uint64_t run(const struct plan *p)
{
	struct log_sim *sim = log_sim_new(p->crash_seed);
	uint64_t calls;

	history_init(&history, &pool, p->seed, MAX_OCTETS);
	log_sim_fault(sim, p->fault, p->call);
	history.log = try_open(sim);
	for (unsigned i = 0; history.log && i < p->steps; i++) {
		history_step(&history);
		if (i % 16 == 0)
			log_sim_advance(sim, 400000);
	}
	calls = log_sim_calls(sim);
	if (p->crash_seed % 2) /* the power goes before it can close */
		log_sim_fault(sim, LOG_SIM_CRASH, calls);
	history_close(&history);
	log_sim_reboot(sim, p->crash);
	history_check_recovered(&history, open_log(sim));
	history_commit(&history, 100, 0);
	history_sync(&history);
	assert_int_equal(history.mails[history.n_mails - 1].fate, HISTORY_ACKED);
	history_check_views(&history);
	history_close(&history);
	log_sim_reboot(sim, LOG_SIM_DROP_ALL);
	history_check_recovered(&history, open_log(sim));
	history_fini(&history);
	log_sim_free(sim);
	return calls;
}

#define SHORT_STEPS 40u

static void every_call(enum log_sim_fault fault, uint64_t seed)
{
	struct plan p = {.seed = seed, .steps = SHORT_STEPS, .crash_seed = seed};
	uint64_t calls = run(&p);

	assert_true(calls > 20);
	p.fault = fault;
	for (p.call = 0; p.call < calls; p.call++) {
		p.crash_seed = seed + p.call;
		p.crash = (enum log_sim_crash)(p.call % LOG_SIM_CRASH_MODES);
		run(&p);
		/* Where the crash is the fault, what it does to the disk matters most. */
		for (unsigned i = 1; fault == LOG_SIM_CRASH && i < LOG_SIM_CRASH_MODES; i++) {
			p.crash = (enum log_sim_crash)((p.call + i) % LOG_SIM_CRASH_MODES);
			run(&p);
		}
	}
}

#define SHORT_HISTORIES 2u

#define EVERY_CALL(name, fault)                                                                    \
	static void name(void **state)                                                             \
	{                                                                                          \
		uint64_t seed = test_seed(fault * 1000);                                           \
                                                                                                   \
		(void)state;                                                                       \
		for (unsigned i = 0; i < SHORT_HISTORIES; i++)                                     \
			every_call(fault, seed + i);                                               \
	}

EVERY_CALL(a_crash_at_any_call_loses_nothing_acknowledged, LOG_SIM_CRASH)
EVERY_CALL(an_error_at_any_call_loses_nothing_acknowledged, LOG_SIM_EIO)
EVERY_CALL(a_full_disk_at_any_call_loses_nothing_acknowledged, LOG_SIM_ENOSPC)
EVERY_CALL(a_short_write_at_any_call_loses_nothing_acknowledged, LOG_SIM_SHORT)
EVERY_CALL(a_torn_write_at_any_call_loses_nothing_acknowledged, LOG_SIM_TORN)

#define LONG_HISTORIES 40u
#define LONG_ROUNDS    6u
#define LONG_STEPS     400u

static void long_history(uint64_t seed)
{
	struct log_sim *sim = log_sim_new(seed);
	uint64_t random = seed;

	history_init(&history, &pool, seed, MAX_OCTETS);
	log_sim_limit(sim, (10 + seed % 20) * SEGMENT);
	for (unsigned round = 0; round < LONG_ROUNDS; round++) {
		enum log_sim_fault fault = 1 + test_random(&random) % LOG_SIM_TORN;

		history_check_recovered(&history, open_log(sim));
		log_sim_fault(sim, fault, test_random(&random) % 800);
		for (unsigned i = 0; i < LONG_STEPS; i++) {
			history_step(&history);
			if (i % 16 == 0)
				log_sim_advance(sim, 400000);
		}
		if (fault != LOG_SIM_CRASH)
			history_check_views(&history);
		if (test_random(&random) % 4)
			log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
		history_close(&history);
		log_sim_reboot(sim, test_random(&random) % LOG_SIM_CRASH_MODES);
	}
	history_check_recovered(&history, open_log(sim));
	history_fini(&history);
	log_sim_free(sim);
}

static void long_histories_of_faults_and_crashes_lose_nothing_acknowledged(void **state)
{
	uint64_t seed = test_seed(77000);

	(void)state;
	for (unsigned i = 0; i < LONG_HISTORIES; i++)
		long_history(seed + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_at_any_call_loses_nothing_acknowledged),
		cmocka_unit_test(an_error_at_any_call_loses_nothing_acknowledged),
		cmocka_unit_test(a_full_disk_at_any_call_loses_nothing_acknowledged),
		cmocka_unit_test(a_short_write_at_any_call_loses_nothing_acknowledged),
		cmocka_unit_test(a_torn_write_at_any_call_loses_nothing_acknowledged),
		cmocka_unit_test(long_histories_of_faults_and_crashes_lose_nothing_acknowledged),
	};

	if (chunk_pool_init(&pool, 4 << 20, NULL) != 0)
		return 1;
	return cmocka_run_group_tests_name("spool/log crash", tests, NULL, NULL);
}
