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
static void replay(struct bytes trace, char *out, size_t size)
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
	assert_int_equal(replay_verify_new(config, &verify, &why), 0);
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
	replay(trace_of(BYTES("helo.example"), room), out, sizeof(out));
	assert_non_null(strstr(out, "spf=pass smtp.helo=helo.example"));
}

static void a_trace_that_names_none_is_no_trouble(void **state)
{
	char out[4096];

	(void)state;
	replay(BYTES("an older one, of text helo x\n"), out, sizeof(out));
	assert_non_null(strstr(out, "spf=none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_the_client_gave_is_evaluated_again),
		cmocka_unit_test(a_trace_that_names_none_is_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
