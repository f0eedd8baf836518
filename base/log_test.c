#include "base/log.h"

#include <errno.h>
#include <unistd.h>

#include "base/testing.h"

enum { KEPT = 8 };

struct kept {
	struct log_record records[KEPT];
	unsigned count;
};

static void keep(void *ctx, const struct log_record *record)
{
	struct kept *k = ctx;

	k->records[k->count % KEPT] = *record;
	k->count++;
}

struct fixture {
	struct logger logger;
	struct log_ring ring;
	struct kept kept;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	logger_init(&f->logger);
	assert_int_equal(log_ring_init(&f->ring, "io0"), 0);
	assert_int_equal(logger_add(&f->logger, &f->ring), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	log_ring_fini(&f->ring);
	free(f);
	return 0;
}

static struct bytes line_of(const struct log_record *r)
{
	return bytes_of(r->text, r->len);
}

static void a_line_starts_with_its_queue_id(void **state)
{
	struct fixture *f = *state;

	log_event(&f->ring, LOG_SEV_INFO, "0ABC", "event=queued size=%d", 17);
	log_event(&f->ring, LOG_SEV_ERROR, NULL, "event=reject");
	assert_int_equal(log_drain(&f->logger, keep, &f->kept), 2);
	assert_bytes_equal(line_of(&f->kept.records[0]), "0ABC: event=queued size=17");
	assert_int_equal(f->kept.records[0].qid_len, 4);
	assert_bytes_equal(line_of(&f->kept.records[1]), "NOQUEUE: event=reject");
	assert_int_equal(f->kept.records[1].severity, 3);
	assert_int_equal(log_drain(&f->logger, keep, &f->kept), 0);
	log_event(NULL, LOG_SEV_INFO, NULL, "event=nowhere");
}

static void less_severe_events_are_not_written(void **state)
{
	struct fixture *f = *state;

	log_event(&f->ring, LOG_SEV_DEBUG, NULL, "event=detail");
	assert_int_equal(log_drain(&f->logger, keep, &f->kept), 0);
	atomic_store(&f->ring.max_severity, LOG_SEV_DEBUG);
	assert_true(log_wants(&f->ring, LOG_SEV_DEBUG));
	log_event(&f->ring, LOG_SEV_DEBUG, NULL, "event=detail");
	assert_int_equal(log_drain(&f->logger, keep, &f->kept), 1);
	assert_string_equal(log_severity_name(LOG_SEV_DEBUG), "debug");
}

static void no_input_can_forge_a_line_or_a_key(void **state)
{
	struct fixture *f = *state;
	struct bytes evil = BYTES("a\r\n0XYZ: event=ok\x1b[2J\xff");

	log_event(&f->ring, LOG_SEV_INFO, NULL, "helo=%.*s", BYTES_FMT(evil));
	log_event(&f->ring, LOG_SEV_INFO, NULL, "helo=%s from=%s", LOG_VALUE(evil),
		LOG_VALUE(BYTES("\" spf=pass \\x")));
	log_drain(&f->logger, keep, &f->kept);
	assert_bytes_equal(line_of(&f->kept.records[0]),
		"NOQUEUE: helo=a\\x0d\\x0a0XYZ: event=ok\\x1b[2J\\xff");
	assert_bytes_equal(line_of(&f->kept.records[1]),
		"NOQUEUE: helo=\"a\\x0d\\x0a0XYZ: event=ok\\x1b[2J\\xff\" "
		"from=\"\\x22 spf=pass \\x5cx\"");
}

static void values_are_quoted_only_where_needed_and_cut_to_fit(void **state)
{
	char small[12];

	(void)state;
	assert_string_equal(LOG_VALUE(BYTES("a@b.example")), "a@b.example");
	assert_string_equal(LOG_VALUE(BYTES("")), "\"\"");
	assert_string_equal(LOG_VALUE(BYTES("a b")), "\"a b\"");
	assert_string_equal(log_value(small, sizeof(small), BYTES("abcdefghijkl")), "abcdefg");
	assert_string_equal(log_value(small, sizeof(small), BYTES("\1\2\3\4")), "\\x01\\x02");
	assert_string_equal(log_value(small, 3, BYTES("abc")), "");
}

static void a_long_line_is_cut_with_a_mark(void **state)
{
	struct fixture *f = *state;
	char big[3000];

	memset(big, 'x', sizeof(big));
	log_event(&f->ring, LOG_SEV_INFO, NULL, "a=%.*s", (int)sizeof(big), big);
	memset(big, '\n', sizeof(big));
	log_event(&f->ring, LOG_SEV_INFO, NULL, "a=%.*s", (int)sizeof(big), big);
	log_drain(&f->logger, keep, &f->kept);
	for (unsigned i = 0; i < 2; i++) {
		struct bytes line = line_of(&f->kept.records[i]);

		assert_true(line.len <= sizeof(f->kept.records[i].text));
		assert_true(line.len >= sizeof(f->kept.records[i].text) - 4);
		assert_bytes_equal(bytes_from(line, line.len - 3), "...");
	}
}

static void a_full_ring_drops_counts_and_tells(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < LOG_RING_RECORDS + 5; i++)
		log_event(&f->ring, LOG_SEV_INFO, NULL, "n=%u", i);
	assert_int_equal(atomic_load(&f->ring.dropped), 5);
	assert_int_equal(log_drain(&f->logger, keep, &f->kept), LOG_RING_RECORDS + 1);
	assert_bytes_equal(line_of(&f->kept.records[LOG_RING_RECORDS % KEPT]),
		"NOQUEUE: event=log-dropped thread=io0 lines=5");
	assert_int_equal(log_drain(&f->logger, keep, &f->kept), 0);
}

static void a_logger_takes_a_bounded_number_of_rings(void **state)
{
	static struct log_ring rings[LOG_MAX_RINGS];
	struct fixture *f = *state;

	for (unsigned i = 1; i < LOG_MAX_RINGS; i++)
		assert_int_equal(logger_add(&f->logger, &rings[i]), 0);
	assert_int_equal(logger_add(&f->logger, &rings[0]), -ENOSPC);
}

static void json_is_made_from_the_same_tokens(void **state)
{
	struct fixture *f = *state;
	char buf[4096];
	struct text out;

	log_event(&f->ring, LOG_SEV_WARNING, "0ABC",
		"spf=pass from=%s ready to=\"a\\\" =x end to= ", LOG_VALUE(BYTES("a \"b")));
	log_drain(&f->logger, keep, &f->kept);
	f->kept.records[0].unix_us = UINT64_C(1790000000123456);
	text_init(&out, buf, sizeof(buf));
	log_format_json(&f->kept.records[0], &out);
	assert_string_equal(text_str(&out),
		"{\"time\":\"2026-09-21T14:13:20.123456Z\",\"severity\":\"warning\","
		"\"qid\":\"0ABC\",\"message\":\"ready =x end\",\"spf\":\"pass\","
		"\"from\":\"a \\\\x22b\",\"to\":\"a\\\\\",\"to\":\"\"}");
}

static struct bytes read_back(int fd, char *buf, size_t cap)
{
	ssize_t n = read(fd, buf, cap);

	return bytes_of(buf, n < 0 ? 0 : (size_t)n);
}

static void sinks_write_one_line_an_event(void **state)
{
	struct fixture *f = *state;
	static struct log_out out;
	struct bytes got;
	char buf[4096];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	out.fd = ends[1];
	log_event(&f->ring, LOG_SEV_INFO, NULL, "event=x");
	log_drain(&f->logger, log_sink_text, &out);
	log_out_flush(&out);
	got = read_back(ends[0], buf, sizeof(buf));
	assert_bytes_equal(bytes_from(got, bytes_find(got, 'Z')), "Z info NOQUEUE: event=x\n");
	log_event(&f->ring, LOG_SEV_INFO, NULL, "event=x");
	log_drain(&f->logger, log_sink_json, &out);
	log_out_flush(&out);
	got = read_back(ends[0], buf, sizeof(buf));
	assert_int_equal(bytes_find(got, '\n'), got.len - 1);
	assert_int_equal(got.data[0], '{');
	/* Where there is no journal this is a no-op. */
	log_event(&f->ring, LOG_SEV_DEBUG, NULL, "event=x");
	log_drain(&f->logger, log_sink_journal, NULL);
	close(ends[0]);
	close(ends[1]);
}

static void lines_that_do_not_fit_are_written_before(void **state)
{
	static struct log_out out;
	struct log_record record = {.unix_us = UINT64_C(1790000000123456),
		.severity = LOG_SEV_INFO,
		.qid_len = 1,
		.len = 900};
	static char buf[2048];
	size_t octets = 0, lines = 0;
	int ends[2];

	(void)state;
	memset(record.text, 'x', sizeof(record.text));
	assert_int_equal(pipe(ends), 0);
	out.fd = ends[1];
	for (unsigned i = 0; i < 200; i++) {
		uint32_t before = out.len;

		log_sink_text(&out, &record);
		assert_true(out.len <= LOG_OUT_OCTETS);
		if (out.len > before)
			continue;
		for (octets = 0; octets < before;) {
			ssize_t n = read(ends[0], buf, sizeof(buf));

			assert_true(n > 0);
			octets += (size_t)n;
			for (ssize_t j = 0; j < n; j++)
				lines += buf[j] == '\n';
		}
		assert_int_equal(lines, i);
	}
	assert_true(lines > 0);
	assert_bytes_equal(bytes_of(out.buf, 28), "2026-09-21T14:13:20.123456Z ");
	close(ends[0]);
	close(ends[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_starts_with_its_queue_id),
		TEST(less_severe_events_are_not_written),
		TEST(no_input_can_forge_a_line_or_a_key),
		TEST(values_are_quoted_only_where_needed_and_cut_to_fit),
		TEST(a_long_line_is_cut_with_a_mark),
		TEST(a_full_ring_drops_counts_and_tells),
		TEST(a_logger_takes_a_bounded_number_of_rings),
		TEST(json_is_made_from_the_same_tokens),
		TEST(sinks_write_one_line_an_event),
		cmocka_unit_test(lines_that_do_not_fit_are_written_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
