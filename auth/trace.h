#pragma once

#include "base/bytes.h"

/*
 * The trace of one mail: what happened, when, and with which answers. Events are noted in binary,
 * one after the other into a bounded record, and put into words only for whoever asks
 * (trace_format.h); so they cost the path of mails some copies.
 *
 * A record begins with TRACE_MAGIC. An event is its kind (an octet), the length of the rest (two,
 * big endian), the microseconds since the mail began plus one (0: no time), and its fields: numbers
 * of seven bits an octet, the lowest first, and octets behind their length.
 */

/*
 * Kind, word, how it is told, and its fields. In the text `%` stands for the next field, `#` passes
 * one over, and what stands in braces is left out where its field is empty or 0. Fields are n
 * (number), s (octets) or i (16 octets of an address); ANSWER, which has records behind them, is
 * told apart.
 */
#define TRACE_KINDS(X)                                                                             \
	X(CLIENT, "client", "client [%] helo %", "address:i helo:s")                               \
	X(FROM, "from", "from <%>", "address:s")                                                   \
	X(TO, "to", "to <%>", "address:s")                                                         \
	X(MORE_TO, "more_to", "and to % more", "recipients:n")                                     \
	X(CONTENT, "content", "% octets of content", "octets:n")                                   \
	X(ASK, "ask", "ask #% %", "question:n type:s name:s")                                      \
	X(ANSWER, "answer", "", "question:n outcome:s secure:n ttl_s:n")                           \
	X(HEADER, "header_complete", "header complete", "")                                        \
	X(HASHED, "dkim_hashed", "dkim hashed %.%", "selector:s domain:s")                         \
	X(DKIM, "dkim_verified", "dkim verified %.%: %{ (%)}{, % keys side by side}",              \
		"selector:s domain:s result:s reason:s batch:n")                                   \
	X(SEAL, "arc_verified", "arc verified set % by %: %{ (%)}{, % keys side by side}",         \
		"set:n sealer:s result:s reason:s batch:n")                                        \
	X(AMS, "arc_message_verified",                                                             \
		"arc verified the message signature of set %: %{ (%)}{, % keys side by side}",     \
		"set:n result:s reason:s batch:n")                                                 \
	X(ENDED, "content_complete", "content complete", "")                                       \
	X(VERDICT, "verdict",                                                                      \
		"verdict spf=%{ (%)} helo=% iprev=%{ (%)} dkim=% arc=%{ (%)} dmarc=%{ (%)}"        \
		"{ policy=%}",                                                                     \
		"spf:s spf_reason:s helo:s iprev:s client_name:s dkim:s arc:s arc_reason:s "       \
		"dmarc:s dmarc_reason:s policy:s")                                                 \
	X(DECIDED, "decided", "decided: %{, for %}{ (local policy: %)}",                           \
		"action:s reason:s override:s")                                                    \
	X(SEALED, "sealed", "sealed as set % of its ARC chain, cv=%", "set:n cv:s")                \
	X(UNSEALED, "unsealed", "not sealed: %", "reason:s")                                       \
	X(LOST, "lost", "and % events more than a trace holds", "events:n")                        \
	X(END, "end", "%", "text:s")                                                               \
	X(EARLY, "asked_early", "asked #% %: already % us before the mail",                        \
		"question:n type:s name:s before_us:n")

enum trace_kind {
	TRACE_NOTHING, /* so that no kind is 0 */
#define X(name, word, text, fields) TRACE_##name,
	TRACE_KINDS(X)
#undef X
		TRACE_KIND_COUNT
};

/* Records of an answer that are told, and octets of one; fewer where more do not fit. */
#define TRACE_RECORDS_MAX  16
#define TRACE_RECORD_MAX   512
#define TRACE_RECORD_SHORT 48
#define TRACE_RECORD_CUT   '~' /* in the place of the last octet: there were more */

#define TRACE_MAGIC   0x01
#define TRACE_NO_TIME UINT64_MAX

/* --- writing --- */

struct trace_writer {
	uint8_t *data;
	size_t len, cap;
	size_t event;  /* where the event under way begins */
	bool overflow; /* it does not fit */
	unsigned lost; /* events that did not */
};

/* `cap` octets of `data`; more events than fit are counted. */
void trace_begin(struct trace_writer *w, void *data, size_t cap);
/* Go on behind a record that is there, in memory of `cap` octets. */
void trace_resume(struct trace_writer *w, void *data, size_t len, size_t cap);
void trace_event(struct trace_writer *w, enum trace_kind kind, uint64_t at_us);
void trace_number(struct trace_writer *w, uint64_t value);
void trace_octets(struct trace_writer *w, struct bytes octets);
static inline void trace_word(struct trace_writer *w, const char *word)
{
	trace_octets(w, bytes_str(word));
}
/* false: it did not fit, and is not there; `lost` has counted it. */
bool trace_end_event(struct trace_writer *w);
struct bytes trace_record(const struct trace_writer *w);

/* --- reading: any octets, whole records or not --- */

struct trace_event_view {
	enum trace_kind kind;
	uint64_t at_us; /* TRACE_NO_TIME: none */
	struct cursor fields;
};

/* The events of a record: false where it is none (an older one, of text). */
bool trace_open(struct bytes record, struct cursor *events);
/* The next one of a known kind; false at the end or where the rest cannot be read. */
bool trace_next(struct cursor *events, struct trace_event_view *event);
bool trace_take_number(struct cursor *fields, uint64_t *value);
bool trace_take_octets(struct cursor *fields, struct bytes *octets);
/* The word of a question's type (enum dns_type). */
const char *trace_type_word(uint16_t type);
/* Whether a record of an answer may have had more octets than are told. */
bool trace_record_is_cut(struct bytes record);
