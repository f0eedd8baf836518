#include "auth/spf/spf.h"
#include "auth/spf/spf_macro.h"
#include "auth/spf/spf_record.h"
#include "base/arena.h"

/*
 * check_host() without recursion: a stack of records, one for the domain and one for each include
 * on the way, and a loop that goes on until a question is out. Answers to questions of an earlier
 * step are told by their serial number and dropped.
 */

const struct spf_limits spf_limits_default = {
	.lookups = 10,
	.void_lookups = 2,
	.mx_names = 10,
	.ptr_names = 10,
};

/* Bounds of the memory, whatever the limits say. */
#define MAX_DEPTH       16
#define MAX_NAMES       32
#define MAX_EXPLANATION 1024
#define MAX_ERROR_TERM  64 /* octets of a wrong term that are told */

struct frame {
	const struct spf_record *record; /* NULL until its answer is in */
	struct bytes domain;
	uint16_t term;
	bool redirected;
};

enum stage { STAGE_TERMS, STAGE_EXPLAIN_NAME, STAGE_EXPLAIN_TEXT, STAGE_DONE };

enum wait {
	WAIT_NOTHING,
	WAIT_RECORD,
	WAIT_ADDRESS,
	WAIT_EXISTS,
	WAIT_MX,
	WAIT_MX_ADDRESSES,
	WAIT_PTR,
	WAIT_PTR_ADDRESSES,
	WAIT_EXPLANATION,
};

/* Address look-ups that follow an MX or a PTR answer, all asked at once. */
struct batch {
	unsigned n, open;
	bool failed, found;
	struct bytes names[MAX_NAMES];
	bool valid[MAX_NAMES]; /* PTR: the name leads back to the client */
};

struct spf_eval {
	struct arena *arena;
	struct dns_asks *asks;
	struct spf_limits limits;
	struct spf_input input;
	enum stage stage;
	enum wait wait;
	uint32_t serial; /* of the step whose answers are wanted */
	unsigned lookups, voids, depth;
	struct frame frames[MAX_DEPTH];
	struct batch mx, ptr;
	bool ptr_known, ptr_void;
	struct bytes explanation_text; /* before expansion */
	enum auth_result result;
	struct bytes reason, explanation;
};

/* A tag is serial * 64 + index within the step. */
#define TAG_INDEX_BITS 6
_Static_assert(MAX_NAMES <= 1 << TAG_INDEX_BITS, "an index fits a tag");

static void answered(void *owner, uint32_t tag, const struct dns_answer *answer);

static struct frame *top(struct spf_eval *eval)
{
	return &eval->frames[eval->depth - 1];
}

static void finish(struct spf_eval *eval, enum auth_result result, struct bytes reason)
{
	eval->stage = STAGE_DONE;
	eval->wait = WAIT_NOTHING;
	eval->serial++;
	eval->result = result;
	eval->reason = reason;
}

static void permerror(struct spf_eval *eval, const char *reason)
{
	finish(eval, AUTH_PERMERROR, bytes_str(reason));
}

static void temperror(struct spf_eval *eval, const struct dns_answer *answer)
{
	finish(eval, AUTH_TEMPERROR, bytes_str(dns_outcome_word(answer->outcome)));
}

static bool is_void(const struct dns_answer *answer)
{
	return !dns_answer_is_temporary(answer) && (answer->outcome != DNS_OK || answer->n == 0);
}

/* §4.6.4: terms whose look-up finds nothing. True where that ended the evaluation. */
static bool over_void_limit(struct spf_eval *eval)
{
	if (++eval->voids <= eval->limits.void_lookups)
		return false;
	permerror(eval, "too many void look-ups");
	return true;
}

/* --- leaving records ---------------------------------------------------------------------------
 */

static void conclude(struct spf_eval *eval, enum auth_result result)
{
	const struct spf_record *record = eval->frames[0].record;

	eval->result = result;
	eval->stage =
		result == AUTH_FAIL && record->explanation.data ? STAGE_EXPLAIN_NAME : STAGE_DONE;
}

/* The top record came to `result`: an include matches only on pass (§5.2). */
static void leave(struct spf_eval *eval, enum auth_result result)
{
	while (eval->depth > 1) {
		eval->depth--;
		struct frame *frame = top(eval);
		if (result != AUTH_PASS) {
			eval->reason = (struct bytes){NULL, 0};
			frame->term++;
			return;
		}
		const struct spf_term *include = &frame->record->terms[frame->term];
		eval->reason = include->text;
		result = include->qualifier;
	}
	conclude(eval, result);
}

static void decide(struct spf_eval *eval, bool match)
{
	struct frame *frame = top(eval);
	const struct spf_term *term = &frame->record->terms[frame->term];

	if (match) {
		eval->reason = term->text;
		leave(eval, term->qualifier);
	} else {
		frame->term++;
	}
}

/* --- asking ------------------------------------------------------------------------------------
 */

enum asked { ASKED, NOT_A_NAME, ASKED_ENDED };

/* No more questions for this mail. A result that only wants its explanation stands without. */
static void out_of_questions(struct spf_eval *eval)
{
	if (eval->stage == STAGE_TERMS)
		permerror(eval, "too many DNS questions");
	else
		finish(eval, eval->result, eval->reason);
}

static enum asked ask(struct spf_eval *eval, enum dns_type type, enum dns_use use,
	struct bytes name, unsigned index)
{
	struct dns_question question;

	if (!dns_question_set(&question, type, use, name))
		return NOT_A_NAME;
	uint32_t tag = eval->serial << TAG_INDEX_BITS | index;
	if (dns_ask(eval->asks, &question, answered, eval, tag))
		return ASKED;
	out_of_questions(eval);
	return ASKED_ENDED;
}

/* One question, whose answer is the next step. A target that is no name matches nothing (§4.8). */
static enum asked ask_one(struct spf_eval *eval, enum wait wait, enum dns_type type,
	enum dns_use use, struct bytes name)
{
	eval->serial++;
	enum asked asked = ask(eval, type, use, name, 0);
	if (asked == ASKED)
		eval->wait = wait;
	return asked;
}

static enum dns_type address_type(const struct spf_eval *eval)
{
	return ip_addr_is_v4(&eval->input.client) ? DNS_A : DNS_AAAA;
}

/* Ask for the addresses of all names of a batch; the caller has set them. */
static void ask_batch(struct spf_eval *eval, struct batch *batch, enum wait wait)
{
	eval->serial++;
	eval->wait = wait;
	for (unsigned i = 0; i < batch->n; i++) {
		enum asked asked = ask(eval, address_type(eval), DNS_USE_RAW, batch->names[i], i);
		if (asked == ASKED_ENDED)
			return;
		batch->open += asked == ASKED;
	}
}

static void ask_record(struct spf_eval *eval, struct bytes domain)
{
	enum asked asked = ask_one(eval, WAIT_RECORD, DNS_TXT, DNS_USE_SPF, domain);

	if (asked == NOT_A_NAME)
		permerror(eval, "include or redirect to what is no domain name");
}

/* --- the client's names: ptr and %{p} ----------------------------------------------------------
 */

static void ask_ptr(struct spf_eval *eval)
{
	struct dns_question question;

	eval->serial++;
	eval->wait = WAIT_PTR;
	dns_question_set_reverse(&question, &eval->input.client);
	if (!dns_ask(eval->asks, &question, answered, eval, eval->serial << TAG_INDEX_BITS))
		out_of_questions(eval);
}

static void ptr_done(struct spf_eval *eval)
{
	eval->ptr_known = true;
	eval->wait = WAIT_NOTHING;
}

/* An error of the PTR look-up only means that no name is known (§5.5). */
static void on_ptr(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct batch *batch = &eval->ptr;
	unsigned max = eval->limits.ptr_names < MAX_NAMES ? eval->limits.ptr_names : MAX_NAMES;

	eval->ptr_void = is_void(answer);
	if (answer->outcome == DNS_OK) {
		/* Names past the limit are left out, the answer is not an error (§4.6.4). */
		for (unsigned i = 0; i < answer->n && batch->n < max; i++)
			batch->names[batch->n++] = answer->records[i].name;
	}
	ask_batch(eval, batch, WAIT_PTR_ADDRESSES);
	if (eval->stage != STAGE_DONE && batch->open == 0)
		ptr_done(eval);
}

static bool has_client(const struct spf_eval *eval, const struct dns_answer *answer)
{
	if (answer->outcome != DNS_OK)
		return false;
	for (unsigned i = 0; i < answer->n; i++) {
		if (ip_addr_eq(&answer->records[i].addr, &eval->input.client))
			return true;
	}
	return false;
}

static void on_ptr_address(struct spf_eval *eval, unsigned index, const struct dns_answer *answer)
{
	eval->ptr.valid[index] = has_client(eval, answer);
	if (--eval->ptr.open == 0)
		ptr_done(eval);
}

static bool is_subdomain(struct bytes name, struct bytes domain)
{
	return name.len > domain.len && bytes_ends_nocase(name, domain) &&
	       name.data[name.len - domain.len - 1] == '.';
}

/* %{p}: the domain itself if it is among the validated names, else a subdomain, else any (§7.3). */
static struct bytes validated_name(const struct spf_eval *eval, struct bytes domain)
{
	struct bytes sub = {NULL, 0}, any = {NULL, 0};

	for (unsigned i = 0; i < eval->ptr.n; i++) {
		struct bytes name = eval->ptr.names[i];
		if (!eval->ptr.valid[i])
			continue;
		if (bytes_eq_nocase(name, domain))
			return name;
		if (!sub.data && is_subdomain(name, domain))
			sub = name;
		if (!any.data)
			any = name;
	}
	return sub.data ? sub : any.data ? any : BYTES("unknown");
}

static bool ptr_matches(const struct spf_eval *eval, struct bytes target)
{
	for (unsigned i = 0; i < eval->ptr.n; i++) {
		struct bytes name = eval->ptr.names[i];
		if (eval->ptr.valid[i] &&
			(bytes_eq_nocase(name, target) || is_subdomain(name, target)))
			return true;
	}
	return false;
}

/* --- terms -------------------------------------------------------------------------------------
 */

/* Whether the first `bits` are the same. */
static bool same_prefix(const struct ip_addr *a, const struct ip_addr *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a->octets, b->octets, whole) != 0)
		return false;
	return rest == 0 || ((a->octets[whole] ^ b->octets[whole]) >> (8 - rest)) == 0;
}

/* An IPv4 client, mapped or not, is matched by IPv4 networks only (§5). */
static bool in_network(
	const struct spf_eval *eval, const struct spf_term *term, const struct ip_addr *net)
{
	bool v4 = ip_addr_is_v4(&eval->input.client);

	return same_prefix(net, &eval->input.client, v4 ? 96u + term->cidr4 : term->cidr6);
}

static bool answer_matches(
	const struct spf_eval *eval, const struct spf_term *term, const struct dns_answer *answer)
{
	if (answer->outcome != DNS_OK)
		return false;
	for (unsigned i = 0; i < answer->n; i++) {
		if (in_network(eval, term, &answer->records[i].addr))
			return true;
	}
	return false;
}

static struct spf_macro_values macro_values(const struct spf_eval *eval, struct bytes domain)
{
	return (struct spf_macro_values){
		.client = eval->input.client,
		.local_part = eval->input.local_part,
		.sender_domain = eval->input.domain,
		.domain = domain,
		.helo = eval->input.helo,
		.receiver = eval->input.receiver,
		.validated = validated_name(eval, domain),
		.now_unix_s = eval->input.now_unix_s,
	};
}

/* Expands a domain-spec, or takes the current domain; false where the result is no name. */
static bool target_name(
	const struct spf_eval *eval, struct bytes domain, struct bytes spec, struct text *name)
{
	if (spec.len == 0) {
		text_put(name, domain);
		return !name->overflow;
	}
	const struct spf_macro_values values = macro_values(eval, domain);
	return spf_macro_domain(spec, &values, name);
}

static void enter(struct spf_eval *eval, struct bytes domain, bool redirected)
{
	struct bytes kept = arena_dup(eval->arena, domain);

	if (!kept.data) {
		finish(eval, AUTH_TEMPERROR, BYTES("out of memory"));
		return;
	}
	if (!redirected) {
		if (eval->depth == MAX_DEPTH) {
			permerror(eval, "includes nested too deep");
			return;
		}
		eval->depth++;
	}
	*top(eval) = (struct frame){.domain = kept, .redirected = redirected};
	ask_record(eval, kept);
}

/* The counted terms; `target` is a name, or was no name (data NULL). */
static void begin_term(struct spf_eval *eval, const struct spf_term *term, struct bytes target)
{
	enum asked asked = NOT_A_NAME;

	if (term->mechanism == SPF_INCLUDE) {
		if (target.data)
			enter(eval, target, false);
		else
			permerror(eval, "include of what is no domain name");
		return;
	}
	if (target.data) {
		switch (term->mechanism) {
		case SPF_A:
			asked = ask_one(
				eval, WAIT_ADDRESS, address_type(eval), DNS_USE_RAW, target);
			break;
		case SPF_EXISTS:
			asked = ask_one(eval, WAIT_EXISTS, DNS_A, DNS_USE_RAW, target);
			break;
		case SPF_MX: asked = ask_one(eval, WAIT_MX, DNS_MX, DNS_USE_RAW, target); break;
		case SPF_PTR:
			if (!eval->ptr_void || !over_void_limit(eval))
				decide(eval, ptr_matches(eval, target));
			return;
		}
	}
	if (asked == NOT_A_NAME)
		decide(eval, false);
}

/*
 * Before a term that asks: the limit of ten, and the client's names if they are needed and not yet
 * known. False where evaluation has to wait or is over; the term is met again then.
 */
static bool may_ask(struct spf_eval *eval, struct bytes spec, bool is_ptr)
{
	if (eval->lookups >= eval->limits.lookups) {
		permerror(eval, "too many DNS look-ups");
		return false;
	}
	if (!eval->ptr_known && (is_ptr || spf_macro_uses_p(spec))) {
		ask_ptr(eval);
		return false;
	}
	eval->lookups++;
	return true;
}

static void step_term(struct spf_eval *eval, struct frame *frame)
{
	const struct spf_term *term = &frame->record->terms[frame->term];
	bool v4 = ip_addr_is_v4(&eval->input.client);
	char room[DNS_NAME_MAX + 2];
	struct text name;

	switch (term->mechanism) {
	case SPF_ALL: decide(eval, true); return;
	case SPF_IP4: decide(eval, v4 && in_network(eval, term, &term->net)); return;
	case SPF_IP6: decide(eval, !v4 && in_network(eval, term, &term->net)); return;
	}
	if (!may_ask(eval, term->domain_spec, term->mechanism == SPF_PTR))
		return;
	text_init(&name, room, sizeof(room));
	bool is_name = target_name(eval, frame->domain, term->domain_spec, &name);
	begin_term(eval, term, is_name ? text_bytes(&name) : (struct bytes){NULL, 0});
}

static void step_redirect(struct spf_eval *eval, struct frame *frame)
{
	char room[DNS_NAME_MAX + 2];
	struct text name;

	if (!may_ask(eval, frame->record->redirect, false))
		return;
	text_init(&name, room, sizeof(room));
	if (target_name(eval, frame->domain, frame->record->redirect, &name))
		enter(eval, text_bytes(&name), true);
	else
		permerror(eval, "redirect to what is no domain name");
}

static void step_terms(struct spf_eval *eval)
{
	struct frame *frame = top(eval);

	if (frame->term < frame->record->n_terms)
		step_term(eval, frame);
	else if (frame->record->redirect.data)
		step_redirect(eval, frame);
	else
		leave(eval, AUTH_NEUTRAL); /* §4.7 */
}

/* Records and what macros bring in (local part, HELO) are written by strangers, and go into
 * replies. */
static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != ' ' && !ascii_is_vchar(text.data[i]))
			return false;
	}
	return true;
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* "bad domain-spec: a:foo-bar", so that a postmaster can find it. */
static struct bytes syntax_error(struct spf_eval *eval, const struct spf_record *record)
{
	struct bytes where = bytes_slice(record->where, 0, MAX_ERROR_TERM);
	struct bytes told = {NULL, 0};

	if (is_printable(where))
		told = arena_printf(eval->arena, "%s: %.*s", record->error, BYTES_FMT(where));
	return told.data ? told : bytes_str(record->error);
}

static void on_record(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct frame *frame = top(eval);
	const struct spf_record *record = answer->parsed;

	if (dns_answer_is_temporary(answer)) {
		temperror(eval, answer);
		return;
	}
	if (answer->outcome == DNS_OK && !record) {
		finish(eval, AUTH_TEMPERROR, BYTES("out of memory"));
		return;
	}
	if (answer->outcome != DNS_OK || record->status == SPF_RECORD_NONE) {
		/* §5.2, §6.1: where a record was referred to, there has to be one. */
		if (eval->depth == 1 && !frame->redirected)
			finish(eval, AUTH_NONE, BYTES("no SPF record"));
		else
			permerror(eval, "include or redirect to a domain without SPF record");
		return;
	}
	if (record->status == SPF_RECORD_SEVERAL) {
		permerror(eval, "several SPF records");
		return;
	}
	if (record->status == SPF_RECORD_INVALID) {
		finish(eval, AUTH_PERMERROR, syntax_error(eval, record));
		return;
	}
	frame->record = record;
	frame->term = 0;
	eval->wait = WAIT_NOTHING;
}

static void on_address(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct frame *frame = top(eval);
	const struct spf_term *term = &frame->record->terms[frame->term];
	bool exists = eval->wait == WAIT_EXISTS;

	eval->wait = WAIT_NOTHING;
	if (dns_answer_is_temporary(answer))
		temperror(eval, answer);
	else if (!is_void(answer) || !over_void_limit(eval))
		decide(eval, exists ? !is_void(answer) : answer_matches(eval, term, answer));
}

static void on_mx(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct batch *batch = &eval->mx;

	if (dns_answer_is_temporary(answer)) {
		temperror(eval, answer);
		return;
	}
	if (is_void(answer)) {
		eval->wait = WAIT_NOTHING;
		if (!over_void_limit(eval))
			decide(eval, false);
		return;
	}
	if (answer->n > eval->limits.mx_names || answer->n > MAX_NAMES) {
		permerror(eval, "too many MX names");
		return;
	}
	*batch = (struct batch){.n = 0};
	for (unsigned i = 0; i < answer->n; i++)
		batch->names[batch->n++] = answer->records[i].name;
	ask_batch(eval, batch, WAIT_MX_ADDRESSES);
	if (eval->stage != STAGE_DONE && batch->open == 0) {
		eval->wait = WAIT_NOTHING;
		decide(eval, false);
	}
}

/*
 * One host that matches is enough; a failed look-up counts only when none does, since MX hosts come
 * in no order that would make one of them first.
 */
static void on_mx_address(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct frame *frame = top(eval);
	struct batch *batch = &eval->mx;

	if (dns_answer_is_temporary(answer))
		batch->failed = true;
	else if (!is_void(answer))
		batch->found = true;
	bool match = answer_matches(eval, &frame->record->terms[frame->term], answer);
	if (--batch->open > 0 && !match)
		return;
	eval->wait = WAIT_NOTHING;
	eval->serial++;
	if (match)
		decide(eval, true);
	else if (batch->failed)
		finish(eval, AUTH_TEMPERROR, BYTES("address of an MX host"));
	else if (batch->found || !over_void_limit(eval))
		decide(eval, false);
}

/* --- exp= (§6.2): whatever goes wrong here only means that there is no explanation ---------------
 */

static void explain_name(struct spf_eval *eval)
{
	const struct frame *frame = &eval->frames[0];
	char room[DNS_NAME_MAX + 2];
	struct text name;

	if (!eval->ptr_known && spf_macro_uses_p(frame->record->explanation)) {
		ask_ptr(eval);
		return;
	}
	text_init(&name, room, sizeof(room));
	bool asked =
		target_name(eval, frame->domain, frame->record->explanation, &name) &&
		ask_one(eval, WAIT_EXPLANATION, DNS_TXT, DNS_USE_RAW, text_bytes(&name)) == ASKED;
	eval->stage = asked ? STAGE_EXPLAIN_TEXT : STAGE_DONE;
}

static void on_explanation(struct spf_eval *eval, const struct dns_answer *answer)
{
	eval->wait = WAIT_NOTHING;
	if (answer->outcome == DNS_OK && answer->n == 1 &&
		spf_macro_valid(answer->records[0].text, SPF_MACRO_EXPLAIN))
		eval->explanation_text = answer->records[0].text;
	else
		eval->stage = STAGE_DONE;
}

static void explain_text(struct spf_eval *eval)
{
	char room[MAX_EXPLANATION + 1];
	struct text text;

	if (!eval->ptr_known && spf_macro_uses_p(eval->explanation_text)) {
		ask_ptr(eval);
		return;
	}
	const struct spf_macro_values values = macro_values(eval, eval->frames[0].domain);
	text_init(&text, room, sizeof(room));
	spf_macro_expand(eval->explanation_text, &values, &text);
	if (!text.overflow && is_printable(text_bytes(&text)))
		eval->explanation = arena_dup(eval->arena, text_bytes(&text));
	eval->stage = STAGE_DONE;
}

/* --- the machine -------------------------------------------------------------------------------
 */

static void run(struct spf_eval *eval)
{
	while (eval->wait == WAIT_NOTHING && eval->stage != STAGE_DONE) {
		switch (eval->stage) {
		case STAGE_TERMS: step_terms(eval); break;
		case STAGE_EXPLAIN_NAME: explain_name(eval); break;
		case STAGE_EXPLAIN_TEXT: explain_text(eval); break;
		case STAGE_DONE: break;
		}
	}
}

static void answered(void *owner, uint32_t tag, const struct dns_answer *answer)
{
	struct spf_eval *eval = owner;
	uint32_t serial_mask = UINT32_MAX >> TAG_INDEX_BITS;

	if (eval->stage == STAGE_DONE || tag >> TAG_INDEX_BITS != (eval->serial & serial_mask))
		return;
	switch (eval->wait) {
	case WAIT_NOTHING: return;
	case WAIT_RECORD: on_record(eval, answer); break;
	case WAIT_ADDRESS:
	case WAIT_EXISTS: on_address(eval, answer); break;
	case WAIT_MX: on_mx(eval, answer); break;
	case WAIT_MX_ADDRESSES: on_mx_address(eval, answer); break;
	case WAIT_PTR: on_ptr(eval, answer); break;
	case WAIT_PTR_ADDRESSES:
		on_ptr_address(eval, tag & ((1u << TAG_INDEX_BITS) - 1), answer);
		break;
	case WAIT_EXPLANATION: on_explanation(eval, answer); break;
	}
	run(eval);
}

/* §4.3: a name of more than one label, and no address literal. */
static bool is_checkable(struct bytes domain)
{
	struct dns_question question;

	if (bytes_find(domain, '.') == BYTES_NPOS)
		return false;
	for (size_t i = 0; i < domain.len; i++) {
		int c = domain.data[i];
		if (c <= ' ' || c == 0x7f || c == '[' || c == ']' || c == '@')
			return false;
	}
	return dns_question_set(&question, DNS_TXT, DNS_USE_SPF, domain);
}

struct spf_eval *spf_eval_new(struct arena *arena, struct dns_asks *asks,
	const struct spf_limits *limits, const struct spf_input *input)
{
	struct spf_eval *eval = ARENA_NEW(arena, struct spf_eval);

	if (!eval)
		return NULL;
	eval->arena = arena;
	eval->asks = asks;
	eval->limits = *limits;
	eval->input = *input;
	struct bytes *domain = &eval->input.domain;
	if (domain->len > 0 && domain->data[domain->len - 1] == '.')
		domain->len--;
	if (eval->input.local_part.len == 0)
		eval->input.local_part = BYTES("postmaster");
	if (!is_checkable(*domain)) {
		finish(eval, AUTH_NONE, BYTES("no domain to check"));
		return eval;
	}
	eval->depth = 1;
	eval->frames[0] = (struct frame){.domain = *domain};
	ask_record(eval, *domain);
	return eval;
}

bool spf_eval_done(const struct spf_eval *eval)
{
	return eval->stage == STAGE_DONE;
}

enum auth_result spf_eval_result(const struct spf_eval *eval)
{
	return eval->result;
}

struct bytes spf_eval_reason(const struct spf_eval *eval)
{
	return eval->reason;
}

struct bytes spf_eval_explanation(const struct spf_eval *eval)
{
	return eval->explanation;
}

bool spf_eval_is_bare_reject(const struct spf_eval *eval)
{
	const struct spf_record *record = eval->frames[0].record;

	return record && record->bare_reject && !eval->frames[0].redirected;
}
