#include "spool/log/log_harness.h"

#include "base/testing.h"

struct history log_harness_history;
struct chunk_pool log_harness_pool;

const struct spool_log_config log_harness_small = {
	.path = "sim", .segment_bytes = 64 << 10, .batch_bytes = 16 << 10};

struct spool_log *log_harness_open(
	const struct spool_log_config *config, const struct spool_log_io *io, const char *complaint)
{
	struct spool_log *log;
	char buf[1024];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	if (spool_log_open(config, io, &log, &why) != 0)
		fail_msg("cannot open: %s", text_str(&why));
	if (complaint)
		assert_non_null(strstr(text_str(&why), complaint));
	else
		assert_string_equal(text_str(&why), "");
	return log;
}

struct log_sim *log_harness_begin(const struct spool_log_config *config, uint64_t limit)
{
	struct log_sim *sim = log_sim_new(1);

	log_sim_limit(sim, limit);
	history_init(&log_harness_history, &log_harness_pool, 3, 20000);
	log_harness_history.log = log_harness_open(config, log_sim_io(sim), NULL);
	return sim;
}

void log_harness_end(struct log_sim *sim)
{
	history_fini(&log_harness_history);
	log_sim_free(sim);
}

void log_harness_release_ack(void *arg, const struct spool_ack *ack)
{
	(void)arg;
	assert_int_equal(ack->error, 0);
	spool_item_release(ack->item);
}

void log_harness_crash(struct log_sim *sim)
{
	log_sim_fault(sim, LOG_SIM_CRASH, log_sim_calls(sim));
	spool_log_close(log_harness_history.log);
	log_sim_reboot(sim, LOG_SIM_DROP_ALL);
	log_harness_history.log = log_harness_open(&log_harness_small, log_sim_io(sim), NULL);
}

static void find_first_segment(void *arg, const char *name)
{
	char *first = arg;

	if (strncmp(name, "segment-", 8) == 0 && (!*first || strcmp(name, first) < 0))
		snprintf(first, 64, "%s", name);
}

void log_harness_first_segment(struct log_sim *sim, char name[64])
{
	name[0] = '\0';
	log_sim_names(sim, find_first_segment, name);
}
