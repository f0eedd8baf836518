#include "base/testing.h"
#include "bench/sink/sink_session.h"

static char out_buf[SINK_REPLIES_MAX * 2];
static struct sink_counts counts;

/* All replies after the greeting, without CR. */
static const char *talk(const char *input, size_t step, bool chunking)
{
	static char seen[4096];
	const struct sink_config config = {
		.chunking = chunking, .eight_bit = true, .pipelining = true, .size = 1000};
	struct bytes all = bytes_str(input);
	static struct sink_session s;
	struct text out;
	size_t n = 0;

	counts = (struct sink_counts){0};
	text_init(&out, out_buf, sizeof(out_buf));
	sink_session_init(&s, &config, &counts, &out);
	text_reset(&out);
	for (size_t at = 0; at < all.len; at += step) {
		struct bytes part = bytes_slice(all, at, step);

		sink_session_input(&s, &part, &out);
	}
	for (size_t i = 0; i < out.len && n + 1 < sizeof(seen); i++)
		if (out.data[i] != '\r')
			seen[n++] = out.data[i];
	seen[n] = '\0';
	return seen;
}

static const struct dialogue {
	const char *name, *input, *replies;
	uint64_t mails;
	bool no_chunking;
} dialogues[] = {
	{"a mail by DATA", "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
		"250 2.1.0 Ok\n250 2.1.5 Ok\n354 Go on\n250 2.0.0 Gone\n221 2.0.0 Bye\n", 1, false},
	{"an empty mail", "mail from:<>\r\nrcpt to:<b>\r\ndata\r\n.\r\n",
		"250 2.1.0 Ok\n250 2.1.5 Ok\n354 Go on\n250 2.0.0 Gone\n", 1, false},
	{"only CRLF.CRLF ends it",
		"MAIL FROM:<a>\r\nRCPT "
		"TO:<b>\r\nDATA\r\n\n.\n\r.\r\r\n..\r\nx.\r\n\r\n.\n\r\r\n.\r\n",
		"250 2.1.0 Ok\n250 2.1.5 Ok\n354 Go on\n250 2.0.0 Gone\n", 1, false},
	{"a reply for each recipient",
		"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nDATA\r\n.\r\n",
		"250 2.1.0 Ok\n250 2.1.5 Ok\n250 2.1.5 Ok\n354 Go on\n250 2.0.0 Gone\n250 2.0.0 "
		"Gone\n",
		1, false},
	{"a mail by BDAT",
		"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nBDAT 3\r\nx\r\nBDAT 5 LAST\r\n\r\n.\r\n",
		"250 2.1.0 Ok\n250 2.1.5 Ok\n250 2.0.0 Ok\n250 2.0.0 Gone\n", 1, false},
	{"an empty last chunk", "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nBDAT 3\r\nx\r\nBDAT 0 LAST\r\n",
		"250 2.1.0 Ok\n250 2.1.5 Ok\n250 2.0.0 Ok\n250 2.0.0 Gone\n", 1, false},
	{"BDAT without a recipient is read and refused",
		"MAIL FROM:<a>\r\nBDAT 2 LAST\r\nxxNOOP\r\n",
		"250 2.1.0 Ok\n503 5.5.1 No recipient\n250 2.0.0 Ok\n", 0, false},
	{"no BDAT where it is not announced", "BDAT 2 LAST\r\n", "501 5.5.4 BDAT length [LAST]\n",
		0, true},
	{"DATA without a recipient", "MAIL FROM:<a>\r\nDATA\r\n",
		"250 2.1.0 Ok\n503 5.5.1 No recipient\n", 0, false},
	{"nonsense", "FOO\r\n\r\nMAIL x\r\nRCPT TO:<b>\r\n",
		"500 5.5.2 Unknown command\n500 5.5.2 Unknown command\n501 5.5.4 MAIL "
		"FROM:<address>\n503 5.5.1 MAIL first, then RCPT TO:<address>\n",
		0, false},
	{"LHLO tells what there is", "LHLO x\r\n",
		"250-sink\n250-PIPELINING\n250-8BITMIME\n250-SIZE 1000\n250 "
		"ENHANCEDSTATUSCODES\n",
		0, true},
};

static void replies(void **state)
{
	const struct dialogue *d = *state;

	for (unsigned step = 0; step < 2; step++) {
		assert_string_equal(talk(d->input, step ? 1 : 100000, !d->no_chunking), d->replies);
		assert_int_equal(counts.mails, d->mails);
	}
}

static void a_long_line_is_refused_and_bounded(void **state)
{
	static char line[SINK_LINE_MAX * 3];

	(void)state;
	memset(line, 'x', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	assert_string_equal(talk(line, sizeof(line), true), "500 5.5.2 Line too long\n");
	assert_string_equal(talk(line, 1, true), "500 5.5.2 Line too long\n");
}

int main(void)
{
	enum { N = sizeof(dialogues) / sizeof(dialogues[0]) };
	struct CMUnitTest cases[N + 1];

	for (unsigned i = 0; i < N; i++)
		cases[i] = (struct CMUnitTest){
			dialogues[i].name, replies, NULL, NULL, (void *)&dialogues[i]};
	cases[N] = (struct CMUnitTest)cmocka_unit_test(a_long_line_is_refused_and_bounded);
	return cmocka_run_group_tests_name("sink/sink_session", cases, NULL, NULL);
}
