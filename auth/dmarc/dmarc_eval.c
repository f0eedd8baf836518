#include "auth/dmarc/dmarc_walk.h"
#include "base/arena.h"

/*
 * One author domain: its tree walk, the record that applies (§4.10.1), and whether an authenticated
 * identifier aligns (§4.4). Identifiers that could align only in relaxed mode get a walk of their
 * own once that of the author domain is done; most need no question for it.
 */

struct identifier {
	struct dmarc_identifier is;
	struct dmarc_walk walk;
};

enum state {
	WALKING,     /* the author domain's records are on the way */
	EXISTENCE,   /* np might apply: is there such a name? */
	WAITING,     /* the policy is known, the identifiers are not */
	IDENTIFYING, /* walks of identifiers are on the way */
	DONE,
};

struct dmarc_eval {
	struct arena *arena;
	struct dns_asks *asks;
	struct bytes author;
	enum state state;
	struct dmarc_walk walk;
	const struct dmarc_record *record; /* that applies; NULL: none */
	struct bytes org;
	bool have_identifiers;
	unsigned n_ids, open; /* open: questions of identifiers' walks */
	struct identifier *ids[DMARC_MAX_IDENTIFIERS];
	enum auth_result result;
	enum dmarc_policy policy;
	const char *reason;
};

/* Tags: who asks * DMARC_WALK_MAX + index of the name. */
#define TAG_EXISTENCE  ((DMARC_MAX_IDENTIFIERS + 1) * DMARC_WALK_MAX)
#define TAG_ID(i)      (((i) + 1) * DMARC_WALK_MAX)
#define TAG_OWNER(tag) ((tag) / DMARC_WALK_MAX)

static void answered(void *owner, uint32_t tag, const struct dns_answer *answer);

static void finish(struct dmarc_eval *eval, enum auth_result result, const char *reason)
{
	eval->state = DONE;
	eval->result = result;
	eval->reason = reason;
}

/* --- alignment (§4.4) --------------------------------------------------------------------------
 */

static bool is_strict(const struct dmarc_eval *eval, const struct identifier *id)
{
	return id->is.spf ? eval->record->strict_spf : eval->record->strict_dkim;
}

/* The same domain aligns in either mode, whatever the walk would find. */
static bool is_equal(const struct dmarc_eval *eval, const struct identifier *id)
{
	return bytes_eq(id->is.domain, eval->author);
}

static bool has_equal_pass(const struct dmarc_eval *eval)
{
	for (unsigned i = 0; i < eval->n_ids; i++) {
		if (!eval->ids[i]->is.temporary && is_equal(eval, eval->ids[i]))
			return true;
	}
	return false;
}

/* In relaxed mode an identifier's Organizational Domain is itself or above it, so only these can
 * align. */
static bool may_align(const struct dmarc_eval *eval, const struct identifier *id)
{
	return !is_strict(eval, id) && (bytes_eq(id->is.domain, eval->org) ||
					       dmarc_walk_is_below(id->is.domain, eval->org));
}

/* Whether an identifier would align with an Organizational Domain above the one that is known. */
static bool may_align_wider(const struct dmarc_eval *eval)
{
	struct bytes widest = dmarc_walk_widest(&eval->walk);

	for (unsigned i = 0; i < eval->n_ids; i++) {
		const struct identifier *id = eval->ids[i];
		if (!is_strict(eval, id) && (bytes_eq(id->is.domain, widest) ||
						    dmarc_walk_is_below(id->is.domain, widest)))
			return true;
	}
	return false;
}

enum alignment { NOT_ALIGNED, ALIGNED, UNCERTAIN };

static enum alignment align(const struct dmarc_eval *eval, const struct identifier *id)
{
	if (is_equal(eval, id))
		return id->is.temporary ? UNCERTAIN : ALIGNED;
	if (!may_align(eval, id))
		return NOT_ALIGNED;
	if (dmarc_walk_failed(&id->walk))
		return UNCERTAIN;
	if (!bytes_eq(dmarc_walk_org(&id->walk), eval->org))
		return NOT_ALIGNED;
	return id->is.temporary ? UNCERTAIN : ALIGNED;
}

static void judge(struct dmarc_eval *eval)
{
	bool uncertain = false;

	for (unsigned i = 0; i < eval->n_ids; i++) {
		enum alignment alignment = align(eval, eval->ids[i]);
		if (alignment == ALIGNED) {
			finish(eval, AUTH_PASS, NULL);
			return;
		}
		uncertain |= alignment == UNCERTAIN;
	}
	if (uncertain)
		finish(eval, AUTH_TEMPERROR, "a look-up that might align failed");
	else if (eval->n_ids > 0)
		finish(eval, AUTH_FAIL, "no aligned identifier");
	else
		finish(eval, AUTH_FAIL, "no authenticated identifier");
}

/* False where no more questions can be asked. */
static bool walk_identifier(struct dmarc_eval *eval, unsigned index)
{
	struct identifier *id = eval->ids[index];

	if (is_equal(eval, id) || !may_align(eval, id))
		return true;
	dmarc_walk_init(&id->walk, id->is.domain);
	dmarc_walk_share(&id->walk, &eval->walk);
	bool asked = dmarc_walk_ask(&id->walk, eval->asks, answered, eval, TAG_ID(index));
	eval->open += id->walk.open;
	return asked;
}

/* Policy and identifiers are known. */
static void identify(struct dmarc_eval *eval)
{
	if (has_equal_pass(eval)) {
		finish(eval, AUTH_PASS, NULL);
		return;
	}
	if (dmarc_walk_failed(&eval->walk) && may_align_wider(eval)) {
		finish(eval, AUTH_TEMPERROR, "look-up of a parent domain's record failed");
		return;
	}
	eval->state = IDENTIFYING;
	for (unsigned i = 0; i < eval->n_ids; i++) {
		if (!walk_identifier(eval, i)) {
			finish(eval, AUTH_TEMPERROR, "too many DNS questions");
			return;
		}
	}
	if (eval->open == 0)
		judge(eval);
}

/* --- policy discovery (§4.10.1) -----------------------------------------------------------------
 */

static enum dmarc_policy stepped_down(const struct dmarc_record *record, enum dmarc_policy policy)
{
	if (record->testing && policy > DMARC_POLICY_NONE)
		return policy - 1;
	return policy;
}

static void policy_known(struct dmarc_eval *eval, enum dmarc_policy policy)
{
	eval->policy = stepped_down(eval->record, policy);
	eval->state = WAITING;
	if (eval->have_identifiers)
		identify(eval);
}

/* The record of the Organizational Domain, else that of the public suffix above it. */
static const struct dmarc_record *parent_record(const struct dmarc_eval *eval)
{
	const struct dmarc_record *record = dmarc_walk_record_at(&eval->walk, eval->org);

	if (!record && eval->walk.n > 0)
		record = eval->walk.record[dmarc_walk_end(&eval->walk)];
	return record;
}

static void ask_existence(struct dmarc_eval *eval)
{
	struct dns_question question;

	eval->state = EXISTENCE;
	if (!dns_question_set(&question, DNS_A, DNS_USE_RAW, eval->author) ||
		!dns_ask(eval->asks, &question, answered, eval, TAG_EXISTENCE))
		finish(eval, AUTH_TEMPERROR, "too many DNS questions");
}

static void discover(struct dmarc_eval *eval)
{
	const struct dmarc_record *own = eval->walk.record[0];

	eval->org = dmarc_walk_org(&eval->walk);
	/* Of the author domain's own record the policy is certain, even where its parents are not.
	 */
	if (!own && dmarc_walk_failed(&eval->walk)) {
		finish(eval, AUTH_TEMPERROR, "look-up of the DMARC record failed");
		return;
	}
	eval->record = own ? own : parent_record(eval);
	if (!eval->record) {
		finish(eval, AUTH_NONE,
			eval->walk.several ? "several DMARC records" : "no DMARC record");
		return;
	}
	if (eval->record->p == DMARC_POLICY_ABSENT) {
		finish(eval, AUTH_NONE, "DMARC record without a valid policy and without rua");
		return;
	}
	if (own)
		policy_known(eval, own->p);
	else if (eval->record->np != eval->record->sp)
		ask_existence(eval);
	else
		policy_known(eval, eval->record->sp);
}

/* np is for names that do not exist: NXDOMAIN, nothing less (§3.2.13). */
static void on_existence(struct dmarc_eval *eval, const struct dns_answer *answer)
{
	if (dns_answer_is_temporary(answer))
		finish(eval, AUTH_TEMPERROR, "look-up of the author domain failed");
	else
		policy_known(eval,
			answer->outcome == DNS_NXDOMAIN ? eval->record->np : eval->record->sp);
}

static void on_identifier(struct dmarc_eval *eval, uint32_t tag, const struct dns_answer *answer)
{
	unsigned index = TAG_OWNER(tag) - 1;

	dmarc_walk_answer(&eval->ids[index]->walk, tag % DMARC_WALK_MAX, answer);
	if (--eval->open == 0)
		judge(eval);
}

static void answered(void *owner, uint32_t tag, const struct dns_answer *answer)
{
	struct dmarc_eval *eval = owner;

	if (eval->state == DONE)
		return;
	if (tag == TAG_EXISTENCE) {
		on_existence(eval, answer);
	} else if (TAG_OWNER(tag) > 0) {
		on_identifier(eval, tag, answer);
	} else {
		dmarc_walk_answer(&eval->walk, tag, answer);
		if (eval->walk.open == 0)
			discover(eval);
	}
}

/* --- the caller's side --------------------------------------------------------------------------
 */

struct dmarc_eval *dmarc_eval_new(
	struct arena *arena, struct dns_asks *asks, struct bytes author_domain)
{
	struct dmarc_eval *eval = ARENA_NEW(arena, struct dmarc_eval);

	if (!eval)
		return NULL;
	eval->arena = arena;
	eval->asks = asks;
	eval->author = author_domain;
	dmarc_walk_init(&eval->walk, author_domain);
	if (!dmarc_walk_ask(&eval->walk, asks, answered, eval, 0))
		finish(eval, AUTH_TEMPERROR, "too many DNS questions");
	else if (eval->walk.open == 0)
		finish(eval, AUTH_NONE, "no domain to look up");
	return eval;
}

static bool has_identifier(const struct dmarc_eval *eval, const struct dmarc_identifier *id)
{
	for (unsigned i = 0; i < eval->n_ids; i++) {
		if (eval->ids[i]->is.spf == id->spf &&
			eval->ids[i]->is.temporary == id->temporary &&
			bytes_eq(eval->ids[i]->is.domain, id->domain))
			return true;
	}
	return false;
}

void dmarc_eval_identifiers(struct dmarc_eval *eval, const struct dmarc_identifier *ids, unsigned n)
{
	eval->have_identifiers = true;
	if (eval->state == DONE)
		return;
	for (unsigned i = 0; i < n && eval->n_ids < DMARC_MAX_IDENTIFIERS; i++) {
		if (has_identifier(eval, &ids[i]))
			continue;
		struct identifier *id = ARENA_NEW(eval->arena, struct identifier);
		if (!id) {
			finish(eval, AUTH_TEMPERROR, "out of memory");
			return;
		}
		id->is = ids[i];
		eval->ids[eval->n_ids++] = id;
	}
	if (eval->state == WAITING)
		identify(eval);
}

bool dmarc_eval_done(const struct dmarc_eval *eval)
{
	return eval->state == DONE;
}

enum auth_result dmarc_eval_result(const struct dmarc_eval *eval)
{
	return eval->result;
}

enum dmarc_policy dmarc_eval_policy(const struct dmarc_eval *eval)
{
	return eval->policy;
}

struct bytes dmarc_eval_org_domain(const struct dmarc_eval *eval)
{
	return eval->org;
}

const char *dmarc_eval_reason(const struct dmarc_eval *eval)
{
	return eval->reason;
}
