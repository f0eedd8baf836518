#include "gateway/cli/replay_verify.h"

#include "auth/trace.h"
#include "base/testing.h"

#include <sys/mman.h>
#include <unistd.h>

/* What SPF asks of a bounce is the name that its client gave. */
#define ZONE                                                                                       \
	"helo.example. 60 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"                                  \
	"_dmarc.a.example. 60 IN TXT \"v=DMARC1; p=none\"\n"
#define CONTENT BYTES("From: a@a.example\r\n\r\nHello\r\n")

static const char *file_with(const char *content, char path[64])
{
	int fd = memfd_create("replay", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return path;
}

static struct config *configure(void)
{
	static struct config_errors errors;
	char text[512], zone[64], file[64];
	struct config *config;

	snprintf(text, sizeof(text),
		"hostname: mx.b.example\npostmaster: p@b.example\n"
		"listen: [{device: tap, addresses: [192.0.2.2/24], ports: [25]}]\n"
		"domains: [b.example]\ndns: {zone: %s}\n"
		"delivery: {backends: [{lmtp: unix:/nowhere}]}\n",
		file_with(ZONE, zone));
	if (config_load(file_with(text, file), &config, &errors) != 0)
		fail_msg("%s", errors.error[0].text);
	return config;
}

/* As an io lcore writes it, shortened. */
static struct bytes trace_of(struct bytes helo, uint8_t room[256])
{
	struct trace_writer w;
	struct ip_addr client;

	assert_int_equal(ip_addr_parse(BYTES("192.0.2.1"), &client), 0);
	trace_begin(&w, room, 256);
	trace_event(&w, TRACE_CLIENT, TRACE_NO_TIME);
	trace_octets(&w, bytes_of(&client, sizeof(client)));
	trace_octets(&w, helo);
	trace_end_event(&w);
	return trace_record(&w);
}

/* What is printed of a bounce with that trace. */
static void replay(struct bytes trace, bool fresh, char *out, size_t size)
{
	const struct spool_view view = {
		.content = CONTENT,
		.envelope = {.queue_id = 1,
			.client = BYTES("unknown[192.0.2.1]"),
			.trace = trace,
			.reverse_path = BYTES("")},
	};
	struct config *config = configure();
	int saved = dup(STDOUT_FILENO), to = memfd_create("out", 0);
	struct replay_verify *verify;
	char reason[256];
	struct text why;
	ssize_t n;

	text_init(&why, reason, sizeof(reason));
	assert_int_equal(replay_verify_new(config, fresh, &verify, &why), 0);
	fflush(stdout);
	dup2(to, STDOUT_FILENO);
	replay_verify_mail(verify, &view, false);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	n = pread(to, out, size - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	close(to);
	close(saved);
	replay_verify_free(verify);
	config_free(config);
}

static void the_name_the_client_gave_is_evaluated_again(void **state)
{
	uint8_t room[256];
	char out[4096];

	(void)state;
	replay(trace_of(BYTES("helo.example"), room), true, out, sizeof(out));
	assert_non_null(strstr(out, "spf=pass smtp.helo=helo.example"));
}

static void a_trace_that_names_none_is_no_trouble(void **state)
{
	char out[4096];

	(void)state;
	replay(BYTES("an older one, of text helo x\n"), false, out, sizeof(out));
	assert_non_null(strstr(out, "spf=none"));
}

/* The trace of that HELO, and what it was told of the name's SPF record. */
static struct bytes trace_with_answer(const char *outcome, struct bytes record, uint8_t room[1024])
{
	struct bytes head = trace_of(BYTES("helo.example"), room);
	struct trace_writer w;

	trace_resume(&w, room, head.len, 1024);
	trace_event(&w, TRACE_ASK, 1);
	trace_number(&w, 3);
	trace_word(&w, "TXT");
	trace_word(&w, "helo.example");
	trace_end_event(&w);
	trace_event(&w, TRACE_ANSWER, 2);
	trace_number(&w, 3);
	trace_word(&w, outcome);
	trace_number(&w, 0);
	trace_number(&w, 60);
	if (record.len)
		trace_octets(&w, record);
	trace_end_event(&w);
	return trace_record(&w);
}

static void kept_answers_come_before_those_of_today(void **state)
{
	uint8_t room[1024];
	char out[4096];

	(void)state;
	replay(trace_with_answer("ok", BYTES("v=spf1 -all"), room), false, out, sizeof(out));
	assert_non_null(strstr(out, "spf=fail"));
	assert_non_null(strstr(out, "dns=kept, "));
	replay(trace_with_answer("nxdomain", BYTES(""), room), false, out, sizeof(out));
	assert_non_null(strstr(out, "spf=none"));
	replay(trace_with_answer("timeout", BYTES(""), room), false, out, sizeof(out));
	assert_non_null(strstr(out, "spf=temperror"));
	replay(trace_with_answer("ok", BYTES("v=spf1 -all"), room), true, out, sizeof(out));
	assert_non_null(strstr(out, "spf=pass"));
	assert_non_null(strstr(out, "dns=fresh"));
}

static void an_answer_that_was_not_kept_whole_is_asked_afresh(void **state)
{
	uint8_t room[1024];
	char out[4096], cut[TRACE_RECORD_MAX];

	(void)state;
	memset(cut, 'x', sizeof(cut));
	memcpy(cut, "v=spf1 -all ", 12);
	cut[sizeof(cut) - 1] = TRACE_RECORD_CUT;
	replay(trace_with_answer("ok", bytes_of(cut, sizeof(cut)), room), false, out, sizeof(out));
	assert_non_null(strstr(out, "spf=pass"));
	replay(trace_with_answer("ok", bytes_of(cut, TRACE_RECORD_SHORT), room), false, out,
		sizeof(out));
	assert_non_null(strstr(out, "spf=permerror")); /* 48 octets that are whole */
	replay(trace_with_answer("what", BYTES("v=spf1 -all"), room), false, out, sizeof(out));
	assert_non_null(strstr(out, "spf=pass"));
	replay(trace_with_answer("ok", BYTES(""), room), false, out, sizeof(out));
	assert_non_null(strstr(out, "spf=pass"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_the_client_gave_is_evaluated_again),
		cmocka_unit_test(kept_answers_come_before_those_of_today),
		cmocka_unit_test(an_answer_that_was_not_kept_whole_is_asked_afresh),
		cmocka_unit_test(a_trace_that_names_none_is_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
