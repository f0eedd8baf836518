#include "gateway/daemon_capture.h"

#include "gateway/daemon_priv.h"

#include <errno.h>

/* --- captures -----------------------------------------------------------------------------------
 */

static void hand_over(struct daemon *d, bool is_on)
{
	d->capture.is_on = is_on;
	for (unsigned i = 0; i < d->n_workers; i++) {
		latest_give(&d->workers[i]->new_capture, is_on ? d->capture.of[i] : NULL);
		doorbell_ring(&d->workers[i]->bell);
	}
}

static void free_all(struct daemon_capture *capture)
{
	for (unsigned i = 0; i < THREADS_MAX_WORKERS; i++) {
		capture_free(capture->of[i]);
		capture->of[i] = NULL;
	}
}

/* Ends what is on; false while an lcore has not let go of it. */
static bool stop(struct daemon *d)
{
	if (d->capture.is_on)
		hand_over(d, false);
	if (!daemon_wait_until_taken(d, offsetof(struct worker, new_capture)))
		return false;
	free_all(&d->capture);
	return true;
}

static int start(struct daemon *d, const struct ip_addr *peer, uint64_t until_us)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < d->n_workers; i++)
		error = capture_new(peer, until_us, &d->capture.of[i]);
	if (error) {
		free_all(&d->capture);
		return error;
	}
	d->capture.id++;
	d->capture.until_us = until_us;
	d->capture.read_us = clock_mono_us();
	hand_over(d, true);
	return 0;
}

void daemon_capture_end(struct daemon *d)
{
	free_all(&d->capture);
}

/* --- commands -----------------------------------------------------------------------------------
 */

static bool is_in_use(const struct daemon_capture *capture, uint64_t now_us)
{
	return capture->is_on && now_us - capture->read_us < DAEMON_CAPTURE_ABANDONED_US;
}

int daemon_capture_start(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct daemon *d = daemon;
	uint64_t now_us = clock_mono_us(), seconds;
	struct ip_addr peer;
	int error = -EINVAL;

	if (argc < 1 || bytes_to_u64(bytes_str(argv[0]), DAEMON_CAPTURE_SECONDS_MAX, &seconds) != 0)
		fprintf(out, "from 0 to %u seconds\n", DAEMON_CAPTURE_SECONDS_MAX);
	else if (argc > 1 && ip_addr_parse(bytes_str(argv[1]), &peer) != 0)
		fprintf(out, "%s is no address\n", argv[1]);
	else if (is_in_use(&d->capture, now_us))
		fprintf(out, "another capture is on; only one at a time\n");
	else if (!stop(d))
		fprintf(out, "an lcore still holds the last capture; try again\n");
	else if ((error = start(d, argc > 1 ? &peer : NULL, now_us + seconds * 1000000)) != 0)
		fprintf(out, "%s\n", strerror(-error));
	else
		fprintf(out, "%u\n", d->capture.id);
	return error;
}

/* The oldest of all lcores; NULL: none waits. */
static struct capture *oldest(struct daemon *d, const struct capture_packet **packet)
{
	struct capture *best = NULL;

	*packet = NULL;
	for (unsigned i = 0; i < d->n_workers; i++) {
		const struct capture_packet *p = capture_peek(d->capture.of[i]);

		if (!p || (*packet && (*packet)->time_us <= p->time_us))
			continue;
		*packet = p;
		best = d->capture.of[i];
	}
	return best;
}

static void print_packet(const struct capture_packet *packet, uint64_t to_unix_us, FILE *out)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * CAPTURE_SNAP];

	for (unsigned i = 0; i < packet->len; i++) {
		hex[2 * i] = digits[packet->octets[i] >> 4];
		hex[2 * i + 1] = digits[packet->octets[i] & 15];
	}
	fprintf(out, "packet %llu %u ", (unsigned long long)(packet->time_us + to_unix_us),
		packet->wire_len);
	fwrite(hex, 1, 2u * packet->len, out);
	fputc('\n', out);
}

static uint64_t dropped(const struct daemon *d)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < d->n_workers; i++)
		sum += capture_dropped(d->capture.of[i]);
	return sum;
}

static bool is_id(const struct daemon_capture *capture, unsigned argc, const char *const *argv)
{
	uint64_t id;

	return argc > 0 && bytes_to_u64(bytes_str(argv[0]), UINT32_MAX, &id) == 0 &&
	       capture->is_on && id == capture->id;
}

int daemon_capture_read(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct daemon *d = daemon;
	uint64_t now_us = clock_mono_us(), to_unix_us = clock_unix_us() - now_us;
	const struct capture_packet *packet;
	struct capture *from;
	unsigned n = 0;

	if (!is_id(&d->capture, argc, argv)) {
		fputs("that capture is over\n", out);
		return -EINVAL;
	}
	d->capture.read_us = now_us;
	for (; n < DAEMON_CAPTURE_PORTION && (from = oldest(d, &packet)) != NULL; n++) {
		print_packet(packet, to_unix_us, out);
		capture_pop(from);
	}
	fprintf(out, "state %s %llu\n",
		n == DAEMON_CAPTURE_PORTION     ? "more"
		: now_us >= d->capture.until_us ? "ended"
						: "idle",
		(unsigned long long)dropped(d));
	return 0;
}

int daemon_capture_stop(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct daemon *d = daemon;

	if (!is_id(&d->capture, argc, argv)) {
		fputs("that capture is over\n", out);
		return -EINVAL;
	}
	stop(d);
	return 0;
}
