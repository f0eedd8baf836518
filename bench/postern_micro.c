/*
 * postern-micro NAME [--json]: one micro-benchmark beside its reference. The two take turns, so
 * that whatever else the machine does meets both; the ratio is the median over the turns.
 */
#include "bench/micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define MICRO_RSA_ENTRY(id, ...) &micro_rsa_##id,

static const struct micro *const micros[] = {&micro_log_append, &micro_sha256, &micro_canon,
	&micro_unstuff, &micro_dkim_mail, &micro_tcp_rx, &micro_tcp_conn,
	MICRO_RSA(MICRO_RSA_ENTRY)};
#define N_MICROS (sizeof(micros) / sizeof(micros[0]))

#define TURNS   41
#define TURN_MS 20 /* of each side */

struct side {
	uint64_t (*work)(void *state);
	double (*used_ns)(void *state);
};

static double now_ns(const struct micro *micro, const struct side *side, void *state)
{
	struct timespec t;

	if (side->used_ns)
		return side->used_ns(state);
	clock_gettime(micro->wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Units a second. */
static double measure(const struct micro *micro, const struct side *side, void *state)
{
	double turn_ns = (micro->turn_ms ? micro->turn_ms : TURN_MS) * 1e6;
	uint64_t units = 0;
	double start = now_ns(micro, side, state), end;
	do {
		units += side->work(state);
		end = now_ns(micro, side, state);
	} while (end - start < turn_ns);
	return (double)units * 1e9 / (end - start);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *values)
{
	qsort(values, TURNS, sizeof(values[0]), by_value);
	return values[TURNS / 2];
}

static int run(const struct micro *micro, bool json)
{
	double ours[TURNS], reference[TURNS], ratio[TURNS];
	const struct side our_side = {micro->ours, micro->ours_ns},
			  other_side = {micro->reference, micro->reference_ns};
	void *state = micro->setup(micro);

	if (!state)
		return EX_UNAVAILABLE;
	measure(micro, &our_side, state); /* warm */
	measure(micro, &other_side, state);
	for (int i = 0; i < TURNS; i++) {
		ours[i] = measure(micro, &our_side, state);
		reference[i] = measure(micro, &other_side, state);
		ratio[i] = ours[i] / reference[i];
	}
	micro->teardown(state);
	double middle = median(ratio); /* and sorted: the spread is that of the middle half */
	double spread = ratio[TURNS * 3 / 4] - ratio[TURNS / 4];
	printf(json ? "{\"name\":\"%s\",\"unit\":\"%s\",\"ours\":%.6g,\"reference\":%.6g,"
		      "\"ratio\":%.3f,\"spread\":%.3f}\n"
		    : "%s: %s ours %.6g, reference %.6g, ratio %.3f, spread %.3f\n",
		micro->name, micro->unit, median(ours), median(reference), middle, spread);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: postern-micro NAME [--json]; NAME is one of");
	for (size_t i = 0; i < N_MICROS; i++)
		fprintf(stderr, " %s", micros[i]->name);
	fputs("\n"
	      "ratio is our rate over the reference's, so above 1 ours is better. dkim-mail: "
	      "mails\n"
	      "against EVP's SHA-256 of their bodies alone; 1.5 times the time of that is 0.667.\n",
		stderr);
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
	if (argc < 2 || argc > 3 || (argc == 3 && !json))
		return usage();
	for (size_t i = 0; i < N_MICROS; i++)
		if (strcmp(micros[i]->name, argv[1]) == 0)
			return run(micros[i], json);
	return usage();
}
