/*
 * lmtp-send ADDRESS SENDER FILE RECIPIENT...: sends the octets of a file by this folder's client,
 * for tests against real servers. A line a recipient: outcome, DSN, reply.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "spool/lmtp/backends.h"

#define RECIPIENTS_MAX 16
#define WAIT_US        10000000u
#define FILE_MAX       (64u << 20)

static bool over;

static void on_done(void *arg, struct lmtp_mail *mail, const char *backend, bool untried)
{
	(void)arg;
	(void)backend;
	over = true;
	for (unsigned i = 0; i < mail->n_recipients; i++)
		printf("%s %s %s\n", lmtp_outcome_name(mail->recipients[i].result.outcome),
			mail->recipients[i].result.dsn,
			untried ? "untried" : mail->recipients[i].result.text);
}

static void on_health(void *arg, const char *backend, const char *reason, uint64_t wait_us)
{
	(void)arg;
	(void)wait_us;
	if (reason)
		fprintf(stderr, "lmtp-send: %s: %s\n", backend, reason);
}

static struct bytes read_file(const char *path)
{
	uint8_t *data = malloc(FILE_MAX);
	FILE *f = fopen(path, "rb");
	size_t len = 0;

	if (f && data) {
		len = fread(data, 1, FILE_MAX, f);
		fclose(f);
		return bytes_of(data, len);
	}
	perror(path);
	exit(66);
}

static int deliver(struct backends *b, struct lmtp_mail *mail)
{
	uint64_t end_us = clock_mono_us() + WAIT_US;
	bool sent = false;

	while (!over && clock_mono_us() < end_us) {
		backends_want(b, !sent, clock_mono_us());
		if (!sent)
			sent = backends_send(b, mail, clock_mono_us());
		backends_flush(b, clock_mono_us());
		backends_wait(b, -1, 10);
		backends_handle(b, clock_mono_us());
	}
	return over ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct lmtp_recipient recipients[RECIPIENTS_MAX] = {0};
	struct backends_events events = {NULL, on_done, on_health};
	struct backends_config config = {.n = 1,
		.hostname = "mx.example.org",
		.connect_timeout_us = WAIT_US,
		.reply_timeout_us = WAIT_US,
		.seed = 1};
	struct lmtp_mail mail = {.recipients = recipients, .n_parts = 1};
	struct backends *b;
	struct bytes content;
	char buf[256];
	struct text why;
	int r;

	if (argc < 5 || argc > 4 + RECIPIENTS_MAX) {
		fprintf(stderr, "usage: lmtp-send ADDRESS SENDER FILE RECIPIENT...\n");
		return 64;
	}
	config.list[0].address = argv[1];
	mail.reverse_path = bytes_str(argv[2]);
	content = read_file(argv[3]);
	mail.parts = &content;
	for (int i = 4; i < argc; i++)
		recipients[mail.n_recipients++].address = bytes_str(argv[i]);
	text_init(&why, buf, sizeof(buf));
	if (backends_new(&config, &events, &b, &why) != 0) {
		fprintf(stderr, "lmtp-send: %s\n", text_str(&why));
		return 64;
	}
	r = deliver(b, &mail);
	backends_free(b);
	free((void *)content.data);
	return r;
}
