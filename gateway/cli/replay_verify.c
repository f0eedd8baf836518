#include "gateway/cli/replay_verify.h"

#include "auth/trace.h"
#include "base/clock.h"
#include "base/queue_id.h"
#include "gateway/cli/replay_dns.h"
#include "gateway/cli/verify_dns.h"
#include "gateway/cli/verify_engine.h"
#include "gateway/cli/verify_report.h"
#include "gateway/policy_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct replay_verify {
	struct policy_config policy;
	struct verify_dns *dns;
	struct auth_engine *engine;
	bool fresh;
	struct replay_dns kept; /* of the mail at hand */
};

int replay_verify_new(
	const struct config *config, bool fresh, struct replay_verify **out, struct text *why)
{
	struct replay_verify *v = calloc(1, sizeof(*v));
	int error = v ? verify_engine_new(config, NULL, &v->engine) : -ENOMEM;

	if (error == 0)
		error = verify_dns_new(config->dns.zone, config, &v->dns, why);
	if (error) {
		replay_verify_free(v);
		return error;
	}
	policy_setup(config, &v->policy);
	v->fresh = fresh;
	if (!fresh)
		verify_dns_prefer(v->dns, replay_dns_answer, &v->kept);
	*out = v;
	return 0;
}

void replay_verify_free(struct replay_verify *v)
{
	if (!v)
		return;
	auth_engine_free(v->engine);
	verify_dns_free(v->dns);
	free(v);
}

/* "NAME[ADDRESS]" */
static bool client_of(struct bytes client, struct ip_addr *out)
{
	size_t from = bytes_rfind(client, '['), to = bytes_rfind(client, ']');

	return from != BYTES_NPOS && to != BYTES_NPOS && from < to &&
	       ip_addr_parse(bytes_slice(client, from + 1, to - from - 1), out) == 0;
}

/* What the client called itself, which only the trace has. */
static struct bytes helo_of(struct bytes trace)
{
	struct bytes address, helo = BYTES("");
	struct trace_event_view event;
	struct cursor events;

	if (!trace_open(trace, &events))
		return helo;
	while (trace_next(&events, &event))
		if (event.kind == TRACE_CLIENT && trace_take_octets(&event.fields, &address) &&
			trace_take_octets(&event.fields, &helo))
			break;
	return helo;
}

static bool feed(struct auth_mail *mail, struct bytes content)
{
	return auth_mail_content(mail, content, clock_mono_us()) == AUTH_FEED_OK &&
	       auth_mail_content_end(mail, clock_mono_us()) == AUTH_FEED_OK;
}

/* Which answers it rests on. */
static void print_dns(const struct replay_verify *v)
{
	if (v->fresh)
		printf("  dns=fresh");
	else if (v->kept.missing)
		printf("  dns=kept, %u of %u asked afresh", v->kept.missing,
			v->kept.kept + v->kept.missing);
	else
		printf("  dns=kept");
}

static void print(const struct replay_verify *v, const struct spool_envelope *e,
	const struct auth_verdict *verdict, const struct policy_decision *decision, bool json)
{
	char id[QUEUE_ID_TEXT_SIZE];

	queue_id_format(e->queue_id, id);
	if (json) {
		/* Two lines a mail: whose verdict, and the verdict as `postern verify` has it. */
		printf("{\"id\":\"%s\",\"action\":\"%s\",\"reason\":\"%s\",\"dns\":\"%s\","
		       "\"dns_asked_afresh\":%u}\n",
			id, policy_action_word(decision->action), decision->reason,
			v->fresh ? "fresh" : "kept", v->kept.missing);
		verify_report_json(verdict, decision);
		return;
	}
	printf("%s  %s%s%s", id, policy_action_word(decision->action),
		decision->reason[0] ? " " : "", decision->reason);
	print_dns(v);
	printf("\n%.*s", BYTES_FMT(verdict->authentication_results));
}

bool replay_verify_mail(struct replay_verify *v, const struct spool_view *view, bool json)
{
	const struct spool_envelope *e = &view->envelope;
	struct auth_envelope envelope = {
		.helo = helo_of(e->trace),
		.mail_from = e->reverse_path,
		.now_unix_s = e->received_unix_us / 1000000, /* an expired signature was not then */
	};
	struct policy_decision decision = {0};
	const struct auth_verdict *verdict = NULL;
	struct auth_mail *mail = NULL;
	char id[QUEUE_ID_TEXT_SIZE];

	replay_dns_open(&v->kept, v->fresh ? BYTES("") : e->trace);
	if (client_of(e->client, &envelope.client))
		mail = auth_mail_begin(v->engine, &envelope, clock_mono_us());
	if (mail && feed(mail, view->content))
		verdict = verify_engine_decide(
			v->engine, v->dns, mail, &v->policy, &envelope.client, &decision);
	if (verdict) {
		print(v, e, verdict, &decision, json);
	} else {
		fprintf(stderr, "postern: %s cannot be evaluated\n",
			queue_id_format(e->queue_id, id));
	}
	if (mail)
		auth_mail_end(mail);
	return verdict && decision.action == POLICY_ACCEPT;
}
