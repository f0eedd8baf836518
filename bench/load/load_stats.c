#include "bench/load/load_stats.h"

void load_stats_reply(struct load_stats *stats, const struct smtp_client *client)
{
	unsigned code = smtp_client_code(client);
	struct bytes text = smtp_client_text(client);

	if (code >= LOAD_CODES || stats->replies[code]++ > 0)
		return;
	/* A peer's octets, on their way to a terminal. */
	for (size_t i = 0; i < text.len && i < SMTP_CLIENT_TEXT_MAX; i++) {
		uint8_t c = text.data[i];

		stats->samples[code][i] =
			c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? (char)c : '?';
	}
}

void load_stats_error(struct load_stats *stats, enum load_error error)
{
	stats->errors[error]++;
	stats->n_errors++;
}

double load_stats_seconds(const struct load_stats *stats)
{
	if (stats->window_to_us <= stats->window_from_us)
		return 0;
	return (double)(stats->window_to_us - stats->window_from_us) / 1e6;
}

static const struct {
	const char *name, *what;
} times[] = {
#define X(id, name, what) {name, what},
	LOAD_TIMES(X)
#undef X
};

/* --- a line a second ----------------------------------------------------------------------------
 */

static void put_us(uint64_t us, FILE *out)
{
	if (us < 10000)
		fprintf(out, "%7llu us", (unsigned long long)us);
	else if (us < 10000000)
		fprintf(out, "%7.1f ms", (double)us / 1e3);
	else
		fprintf(out, "%7.1f s ", (double)us / 1e6);
}

static void put_second(const struct histogram *h, FILE *out)
{
	if (h->count == 0)
		return;
	fputs("  p50", out);
	put_us(histogram_percentile(h, 50), out);
	fputs("  p99", out);
	put_us(histogram_percentile(h, 99), out);
}

void load_progress_print(const struct load_progress *p, const struct load_stats *stats,
	uint64_t start_us, uint64_t now_us, FILE *out)
{
	double seconds = (double)(now_us - p->at_us) / 1e6;

	fprintf(out, "%4.0f s  %8.0f mails/s  %llu taken, %llu refused, %llu errors  %u open",
		(double)(now_us - start_us) / 1e6,
		(double)(stats->accepted - p->accepted) / seconds,
		(unsigned long long)stats->accepted, (unsigned long long)stats->refused,
		(unsigned long long)stats->n_errors, stats->open);
	if (stats->held_peak)
		fprintf(out, ", %u held", stats->held);
	if (stats->noops)
		fprintf(out, ", %.0f noops/s", (double)(stats->noops - p->noops) / seconds);
	if (stats->syns)
		fprintf(out, ", %.0f SYNs/s", (double)(stats->syns - p->syns) / seconds);
	put_second(p->mail.count ? &p->mail : &p->noop, out);
	fputc('\n', out);
}

void load_progress_next(struct load_progress *p, struct load_stats *stats, uint64_t now_us)
{
	if (p->noop.count)
		stats->noop_p99_us[stats->n_noop_p99++ % LOAD_SECONDS_MAX] =
			(uint32_t)histogram_percentile(&p->noop, 99);
	*p = (struct load_progress){.at_us = now_us,
		.accepted = stats->accepted,
		.n_errors = stats->n_errors,
		.noops = stats->noops,
		.syns = stats->syns};
}

/* --- the table ----------------------------------------------------------------------------------
 */

static const double percents[] = {50, 90, 99, 99.9};
static const char *const percent_names[] = {"p50", "p90", "p99", "p99_9"};
#define N_PERCENTS (sizeof(percents) / sizeof(percents[0]))

#define BAR_MAX 50u

/* An octave a line, from the first that holds anything to the last. */
static void put_bars(const struct histogram *h, FILE *out)
{
	uint64_t most = 0, from = 1;

	for (unsigned i = 0; i < 63; i++) {
		uint64_t n = histogram_between(h, UINT64_C(1) << i, UINT64_C(2) << i);

		most = n > most ? n : most;
	}
	while (from * 2 <= h->min)
		from *= 2;
	for (; most && from <= h->max && from < UINT64_C(1) << 62; from *= 2) {
		uint64_t n = histogram_between(h, from, from * 2);

		fputs("    ", out);
		put_us(from, out);
		fprintf(out, " %10llu ", (unsigned long long)n);
		for (uint64_t bar = n * BAR_MAX / most; bar > 0; bar--)
			fputc('#', out);
		fputc('\n', out);
	}
}

static void put_times(const struct load_stats *stats, FILE *out)
{
	fprintf(out, "\n  %-10s %10s %10s %10s %10s %10s %10s\n", "", "p50", "p90", "p99", "p99.9",
		"max", "count");
	for (unsigned t = 0; t < LOAD_TIME_COUNT; t++) {
		const struct histogram *h = &stats->times[t];

		if (h->count == 0)
			continue;
		fprintf(out, "  %-10s", times[t].name);
		for (unsigned i = 0; i < N_PERCENTS; i++) {
			fputc(' ', out);
			put_us(histogram_percentile(h, percents[i]), out);
		}
		fputc(' ', out);
		put_us(h->max, out);
		fprintf(out, " %10llu  %s\n", (unsigned long long)h->count, times[t].what);
	}
	for (unsigned t = LOAD_TIME_COMMIT; t <= LOAD_TIME_NOOP; t++) {
		if (stats->times[t].count == 0)
			continue;
		fprintf(out, "\n  %s: %s\n", times[t].name, times[t].what);
		put_bars(&stats->times[t], out);
	}
}

static void put_counts(const struct load_stats *stats, FILE *out)
{
	fputs("\n  replies\n", out);
	for (unsigned code = 0; code < LOAD_CODES; code++)
		if (stats->replies[code])
			fprintf(out, "    %u %10llu  %s\n", code,
				(unsigned long long)stats->replies[code], stats->samples[code]);
	if (stats->n_errors == 0)
		return;
	fputs("\n  errors\n", out);
	for (unsigned e = 0; e < LOAD_ERROR_COUNT; e++)
		if (stats->errors[e])
			fprintf(out, "    %-22s %10llu  %s\n", load_error_text(e),
				(unsigned long long)stats->errors[e], load_error_advice(e));
}

static double rate(const struct load_stats *stats, uint64_t n)
{
	double seconds = load_stats_seconds(stats);

	return seconds > 0 ? (double)n / seconds : 0;
}

void load_report_table(
	const struct load_stats *stats, const struct load_options *options, FILE *out)
{
	fprintf(out, "postern-load over %s\n",
		options->device ? options->device : "kernel sockets");
	if (options->connections)
		fprintf(out,
			"  %.1f mails/s (%.1f Mbit/s) over %.2f s: %llu taken in all, %llu "
			"refused\n",
			rate(stats, stats->counted), rate(stats, stats->octets) * 8 / 1e6,
			load_stats_seconds(stats), (unsigned long long)stats->accepted,
			(unsigned long long)stats->refused);
	fprintf(out, "  %llu connections open, %llu greeted, %llu ended by 421, %llu errors\n",
		(unsigned long long)stats->connected, (unsigned long long)stats->greeted,
		(unsigned long long)stats->said_421, (unsigned long long)stats->n_errors);
	if (stats->sessions_begun)
		fprintf(out,
			"  %llu of %llu sessions done, %.2f %% within %llu s of the first try\n",
			(unsigned long long)stats->sessions_done,
			(unsigned long long)stats->sessions_begun,
			100 * (double)stats->sessions_in_time / (double)stats->sessions_begun,
			(unsigned long long)(LOAD_SESSION_US / 1000000));
	if (options->idle)
		fprintf(out, "  %u of %u sessions held, at most %u\n", stats->held, options->idle,
			stats->held_peak);
	if (stats->syns)
		fprintf(out, "  %llu SYNs (%.0f/s), %llu answers seen (%.0f/s)\n",
			(unsigned long long)stats->syns, rate(stats, stats->syns),
			(unsigned long long)stats->syn_answers, rate(stats, stats->syn_answers));
	if (stats->gave_up)
		fputs("  gave up: nothing went through any more; see the errors\n", out);
	put_times(stats, out);
	put_counts(stats, out);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static void json_times(const struct load_stats *stats, FILE *out)
{
	const char *between = "";

	fputs("\"latency_us\":{", out);
	for (unsigned t = 0; t < LOAD_TIME_COUNT; t++) {
		const struct histogram *h = &stats->times[t];

		if (h->count == 0)
			continue;
		fprintf(out, "%s\"%s\":{\"count\":%llu,\"mean\":%.1f", between, times[t].name,
			(unsigned long long)h->count, histogram_mean(h));
		for (unsigned i = 0; i < N_PERCENTS; i++)
			fprintf(out, ",\"%s\":%llu", percent_names[i],
				(unsigned long long)histogram_percentile(h, percents[i]));
		fprintf(out, ",\"max\":%llu}", (unsigned long long)h->max);
		between = ",";
	}
	fputs("}", out);
}

static void json_seconds(const struct load_stats *stats, FILE *out)
{
	unsigned n = stats->n_noop_p99 < LOAD_SECONDS_MAX ? stats->n_noop_p99 : LOAD_SECONDS_MAX;

	fputs(",\"noop_p99_us\":[", out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s%u", i ? "," : "",
			stats->noop_p99_us[(stats->n_noop_p99 - n + i) % LOAD_SECONDS_MAX]);
	fputc(']', out);
}

static void json_counts(const struct load_stats *stats, FILE *out)
{
	const char *between = "";

	fputs(",\"replies\":{", out);
	for (unsigned code = 0; code < LOAD_CODES; code++) {
		if (stats->replies[code] == 0)
			continue;
		fprintf(out, "%s\"%u\":{\"count\":%llu,\"text\":\"%s\"}", between, code,
			(unsigned long long)stats->replies[code], stats->samples[code]);
		between = ",";
	}
	fputs("},\"errors\":{", out);
	between = "";
	for (unsigned e = 0; e < LOAD_ERROR_COUNT; e++) {
		if (stats->errors[e] == 0)
			continue;
		fprintf(out, "%s\"%s\":%llu", between, load_error_text(e),
			(unsigned long long)stats->errors[e]);
		between = ",";
	}
	fputs("}", out);
}

struct list {
	FILE *out;
	const char *between;
};

static void json_counter(void *arg, const char *name, uint64_t value)
{
	struct list *list = arg;

	fprintf(list->out, "%s\"%s\":%llu", list->between, name, (unsigned long long)value);
	list->between = ",";
}

void load_report_json(const struct load_stats *stats, const struct load_options *options,
	const struct transport *transport, FILE *out)
{
	struct list list = {out, ""};

	fprintf(out,
		"{\"transport\":\"%s\",\"connections\":%u,\"mails_per_connection\":%u,"
		"\"seconds\":%.3f,\"rate\":%.2f,\"accepted\":%llu,\"counted\":%llu,"
		"\"refused\":%llu,\"octets\":%llu,",
		options->device ? "own" : "kernel", options->connections, options->mails,
		load_stats_seconds(stats), rate(stats, stats->counted),
		(unsigned long long)stats->accepted, (unsigned long long)stats->counted,
		(unsigned long long)stats->refused, (unsigned long long)stats->octets);
	fprintf(out,
		"\"connected\":%llu,\"greeted\":%llu,\"said_421\":%llu,\"failed\":%llu,"
		"\"held\":%u,\"held_peak\":%u,\"noops\":%llu,\"syns\":%llu,\"syn_answers\":%llu,"
		"\"sessions_begun\":%llu,\"sessions_done\":%llu,\"sessions_in_time\":%llu,"
		"\"gave_up\":%s,",
		(unsigned long long)stats->connected, (unsigned long long)stats->greeted,
		(unsigned long long)stats->said_421, (unsigned long long)stats->n_errors,
		stats->held, stats->held_peak, (unsigned long long)stats->noops,
		(unsigned long long)stats->syns, (unsigned long long)stats->syn_answers,
		(unsigned long long)stats->sessions_begun, (unsigned long long)stats->sessions_done,
		(unsigned long long)stats->sessions_in_time, stats->gave_up ? "true" : "false");
	json_times(stats, out);
	json_seconds(stats, out);
	json_counts(stats, out);
	fputs(",\"stack\":{", out);
	transport->ops->counters(transport, json_counter, &list);
	fputs("}}\n", out);
}
