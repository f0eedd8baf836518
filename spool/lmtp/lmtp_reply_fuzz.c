/*
 * An LMTP server of random octets: the input is what it says, a 0xff octet marking where we get to
 * speak. Whole or byte by byte, the client ends in the same state, has said the same, and gives the
 * same results.
 */

#include <assert.h>

#include "spool/lmtp/lmtp_client.h"

#define RECIPIENTS 3
#define SAID_MAX   65536
#define MAILS_MAX  6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
	struct lmtp_client c;
	struct lmtp_mail mail[MAILS_MAX];
	struct lmtp_recipient recipients[MAILS_MAX][RECIPIENTS];
	uint8_t said[SAID_MAX];
	size_t n_said;
	unsigned mails, over;
	bool fickle;
};

static const struct bytes parts[] = {BYTES("Subject: x\r\n\r\n"), BYTES(".\r\n..x\r\n.y\r\nz")};

static void take_back(struct side *s)
{
	struct lmtp_mail *mail;

	while ((mail = lmtp_client_over(&s->c))) {
		assert(mail == &s->mail[s->over++]);
		for (unsigned i = 0; i < mail->n_recipients; i++)
			assert(mail->recipients[i].result.outcome != LMTP_PENDING);
	}
}

static void submit(struct side *s)
{
	struct lmtp_mail *mail = &s->mail[s->mails];

	*mail = (struct lmtp_mail){
		.reverse_path = BYTES("a@b"),
		.eight_bit = s->mails & 1,
		.parts = parts,
		.n_parts = 2,
		.recipients = s->recipients[s->mails],
		.n_recipients = RECIPIENTS - s->mails % RECIPIENTS,
	};
	for (unsigned i = 0; i < RECIPIENTS; i++)
		mail->recipients[i].address = BYTES("r@x");
	if (s->mails++ && s->fickle)
		s->c.hurry = !s->c.hurry;
	lmtp_client_send(&s->c, mail, 0);
}

static void speak(struct side *s, size_t cap)
{
	uint8_t buf[512];
	size_t n;

	if (lmtp_client_turns(&s->c))
		lmtp_client_secured(&s->c);
	while (s->mails < MAILS_MAX && (s->c.state == LMTP_READY || lmtp_client_takes(&s->c)))
		submit(s);
	while ((n = lmtp_client_output(&s->c, buf, cap, 0))) {
		assert(n <= cap && s->n_said + n <= SAID_MAX);
		memcpy(s->said + s->n_said, buf, n);
		s->n_said += n;
	}
}

static void run(
	struct side *s, const uint8_t *data, size_t size, size_t cap, bool bytewise, unsigned hurry)
{
	memset(s, 0, sizeof(*s));
	lmtp_client_init(&s->c, "mx", 1000, 0);
	s->c.hurry = hurry > 0;
	s->fickle = hurry == 2;
	s->c.starttls = hurry == 3;
	for (size_t at = 0; at < size;) {
		const uint8_t *mark = memchr(data + at, 0xff, size - at);
		size_t n = mark ? (size_t)(mark - data) - at : size - at;

		for (size_t i = 0; bytewise && i < n; i++)
			lmtp_client_input(&s->c, bytes_of(data + at + i, 1), 0);
		if (!bytewise)
			lmtp_client_input(&s->c, bytes_of(data + at, n), 0);
		take_back(s);
		speak(s, cap);
		at += n + 1;
	}
	lmtp_client_ended(&s->c, "over");
	take_back(s);
	assert(s->over == s->mails);
}

static void compare(const struct side *a, const struct side *b)
{
	assert(a->c.state == b->c.state && a->mails == b->mails);
	assert(a->n_said == b->n_said && memcmp(a->said, b->said, a->n_said) == 0);
	assert(strcmp(lmtp_client_failure(&a->c), lmtp_client_failure(&b->c)) == 0);
	for (unsigned m = 0; m < a->mails; m++)
		for (unsigned i = 0; i < a->mail[m].n_recipients; i++) {
			const struct lmtp_result *x = &a->recipients[m][i].result;
			const struct lmtp_result *y = &b->recipients[m][i].result;

			assert(x->outcome == y->outcome && strcmp(x->text, y->text) == 0);
			assert(x->unsure == y->unsure);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct side a, b;

	for (unsigned hurry = 0; hurry < 4; hurry++) {
		run(&a, data, size, 512, false, hurry);
		run(&b, data, size, 2, true, hurry);
		compare(&a, &b);
	}
	return 0;
}
