/* Any mail against keys that exist: whole and dribbled give the same results. */
#include "auth/dkim/dkim_harness.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char zone_text[] =
	"brisbane._domainkey.example.com. 60 IN TXT \"v=DKIM1; p="
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC"
	"jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9"
	"tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB\"\n"
	"s._domainkey.a. 60 IN TXT \"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
	"t._domainkey.a. 60 IN SERVFAIL TXT\n";

#define RESULTS_MAX 64

struct outcome {
	unsigned n;
	enum auth_result result[RESULTS_MAX];
	const char *reason[RESULTS_MAX];
};

static void run(struct dkim_harness *h, struct bytes message, struct outcome *outcome)
{
	dkim_harness_run(h, message);
	outcome->n = dkim_verifier_count(h->verifier);
	for (unsigned i = 0; i < outcome->n; i++) {
		const struct dkim_result *r = dkim_verifier_result(h->verifier, i);
		outcome->result[i] = r->result;
		outcome->reason[i] = r->reason;
		if ((r->result == AUTH_PASS) != !r->reason)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dkim_harness h;
	static struct dns_zone *zone;
	struct outcome whole, dribbled;
	struct bytes message = bytes_of(data, size);

	if (!zone) {
		char why[128];
		struct text reason;
		text_init(&reason, why, sizeof(why));
		if (dns_zone_parse(bytes_str(zone_text), "zone", &zone, &reason) < 0)
			abort();
		dkim_harness_init(&h, zone);
	}
	h.portion = 0;
	h.keys_last = false;
	run(&h, message, &whole);
	h.portion = size < 2000 ? 1 : 97;
	h.keys_last = true;
	run(&h, message, &dribbled);
	dkim_harness_end(&h);
	if (whole.n != dribbled.n)
		abort();
	for (unsigned i = 0; i < whole.n; i++)
		if (whole.result[i] != dribbled.result[i] || whole.reason[i] != dribbled.reason[i])
			abort();
	return 0;
}
