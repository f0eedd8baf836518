/*
 * An LMTP server of random octets: the input is what it says, a 0xff octet marking where we get to
 * speak. Whole or byte by byte, the client ends in the same state, has said the same, and gives the
 * same results.
 */

#include <assert.h>

#include "spool/lmtp/lmtp_client.h"

#define RECIPIENTS 3
#define SAID_MAX   65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
	struct lmtp_client c;
	struct lmtp_mail mail;
	struct lmtp_recipient recipients[RECIPIENTS];
	uint8_t said[SAID_MAX];
	size_t n_said;
	unsigned mails;
};

static const struct bytes parts[] = {BYTES("Subject: x\r\n\r\n"), BYTES(".\r\n..x\r\n.y\r\nz")};

static void speak(struct side *s, size_t cap)
{
	uint8_t buf[512];
	size_t n;

	if (s->c.state == LMTP_READY && s->mails < 4) {
		s->mail = (struct lmtp_mail){
			.reverse_path = BYTES("a@b"),
			.eight_bit = s->mails & 1,
			.parts = parts,
			.n_parts = 2,
			.recipients = s->recipients,
			.n_recipients = RECIPIENTS - s->mails % RECIPIENTS,
		};
		for (unsigned i = 0; i < RECIPIENTS; i++)
			s->recipients[i].address = BYTES("r@x");
		s->mails++;
		lmtp_client_send(&s->c, &s->mail, 0);
	}
	while ((n = lmtp_client_output(&s->c, buf, cap, 0))) {
		assert(n <= cap && s->n_said + n <= SAID_MAX);
		memcpy(s->said + s->n_said, buf, n);
		s->n_said += n;
	}
}

static void run(struct side *s, const uint8_t *data, size_t size, size_t cap, bool bytewise)
{
	memset(s, 0, sizeof(*s));
	lmtp_client_init(&s->c, "mx", 1000, 0);
	for (size_t at = 0; at < size;) {
		const uint8_t *mark = memchr(data + at, 0xff, size - at);
		size_t n = mark ? (size_t)(mark - data) - at : size - at;

		for (size_t i = 0; bytewise && i < n; i++)
			lmtp_client_input(&s->c, bytes_of(data + at + i, 1), 0);
		if (!bytewise)
			lmtp_client_input(&s->c, bytes_of(data + at, n), 0);
		speak(s, cap);
		at += n + 1;
	}
	lmtp_client_ended(&s->c, "over");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct side a, b;

	run(&a, data, size, sizeof(a.said) < 512 ? sizeof(a.said) : 512, false);
	run(&b, data, size, 2, true);
	assert(a.c.state == b.c.state && a.mails == b.mails);
	assert(a.n_said == b.n_said && memcmp(a.said, b.said, a.n_said) == 0);
	assert(strcmp(lmtp_client_failure(&a.c), lmtp_client_failure(&b.c)) == 0);
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		const struct lmtp_result *x = &a.recipients[i].result;
		const struct lmtp_result *y = &b.recipients[i].result;

		assert(x->outcome == y->outcome && strcmp(x->text, y->text) == 0);
		assert(a.mails == 0 || i >= a.mail.n_recipients || x->outcome != LMTP_PENDING);
	}
	return 0;
}
