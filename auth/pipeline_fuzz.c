#include "auth/pipeline_harness.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * Any octets as a mail, with an envelope out of them too: fed whole, dribbled, with answers early,
 * late and the last first, the verdict is the same to the octet, and so are the ranges to be cut.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

#define MAX_FIELD 16384

struct outcome {
	enum auth_feed fed;
	unsigned n_cuts;
	struct auth_cut cuts[AUTH_MAX_CUTS];
	size_t len;
	char field[MAX_FIELD];
};

static const char zone_text[] = "example.com. 60 IN TXT \"v=spf1 ip4:192.0.2.1 exp=e.org -all\"\n"
				"e.org. 60 IN TXT \"%{l} from %{h}\"\n"
				"_dmarc.example.com. 60 IN TXT \"v=DMARC1; p=reject; np=none\"\n"
				"late.org. 60 IN TIMEOUT TXT\n"
				"_dmarc.late.org. 60 IN TIMEOUT TXT\n"
				"sel._domainkey.example.com. 60 IN TXT \"v=DKIM1; k=ed25519; "
				"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
				"1.2.0.192.in-addr.arpa. 60 IN PTR example.com.\n";

/* One engine for all: a mail must leave nothing behind for the next. */
static struct pipeline_harness *harness(void)
{
	static struct pipeline_harness h;
	struct auth_config config = auth_config_default;

	if (!h.engine) {
		config.authserv_id = "gate.example.net";
		config.max_mails = 1;
		config.max_header_bytes = 8192;
		pipeline_harness_init(&h, &config, pipeline_harness_zone(zone_text));
	}
	return &h;
}

static void run(const struct auth_envelope *envelope, struct bytes message, size_t portion,
	enum pipeline_order order, struct outcome *outcome)
{
	struct pipeline_harness *h = harness();

	h->portion = portion;
	h->order = order;
	memset(outcome, 0, offsetof(struct outcome, field));
	struct auth_mail *mail = pipeline_harness_run(h, envelope, message, &outcome->fed);
	if (!mail)
		return;
	CHECK(auth_engine_next_ready(h->engine) == mail);
	struct bytes field = auth_mail_verdict(mail)->authentication_results;
	CHECK(field.len < sizeof(outcome->field));
	CHECK(bytes_ends_nocase(field, BYTES("\r\n")));
	CHECK(bytes_find(field, '\0') == BYTES_NPOS);
	outcome->len = field.len;
	memcpy(outcome->field, field.data, field.len);
	outcome->n_cuts = auth_mail_cuts(mail, outcome->cuts, AUTH_MAX_CUTS);
	for (unsigned i = 0; i < outcome->n_cuts; i++)
		CHECK(outcome->cuts[i].from < outcome->cuts[i].to &&
			(i == 0 || outcome->cuts[i - 1].to <= outcome->cuts[i].from));
	auth_mail_end(mail);
}

static struct bytes take_line(struct bytes *rest)
{
	struct bytes line;

	return bytes_split(rest, '\n', &line) ? line : BYTES("");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome first, other;
	struct bytes rest = bytes_of(data, size);
	struct auth_envelope envelope = {
		.client = ip_addr_v4(0xc0000201), .now_unix_s = 1700000000};

	/* The first two lines are the envelope. */
	envelope.helo = bytes_slice(take_line(&rest), 0, 1000);
	envelope.mail_from = bytes_slice(take_line(&rest), 0, 1000);
	run(&envelope, rest, 0, PIPELINE_IN_TURN, &first);
	for (int order = PIPELINE_IN_TURN; order <= PIPELINE_AFTER_CONTENT; order++) {
		run(&envelope, rest, order == PIPELINE_IN_TURN ? 1 : 7, (enum pipeline_order)order,
			&other);
		CHECK(first.fed == other.fed && first.len == other.len &&
			first.n_cuts == other.n_cuts);
		CHECK(memcmp(first.field, other.field, first.len) == 0);
		CHECK(memcmp(first.cuts, other.cuts, sizeof(first.cuts)) == 0);
	}
	return 0;
}
