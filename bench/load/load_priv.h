/* The generator's insides: what load.c runs and load_life.c, load_talk.c and load_pace.c do. */
#pragma once

#include "base/wheel.h"
#include "bench/load/load.h"

#define LOAD_SECOND_US UINT64_C(1000000)

enum load_phase {
	LOAD_PHASE_NONE,    /* never begun, or over */
	LOAD_PHASE_WAITING, /* in the list of those to be opened */
	LOAD_PHASE_RETRY,   /* its timer puts it there */
	LOAD_PHASE_OPENING, /* up to the answer to EHLO */
	LOAD_PHASE_TALKING,
	LOAD_PHASE_HELD,    /* idle */
	LOAD_PHASE_CLOSING, /* waits for the server's FIN */
};

struct load_session {
	struct smtp_client client;
	void *conn;
	struct load_session *next; /* to be opened */
	struct wheel_timer timer;
	uint64_t offered_us; /* first tried then, however often since; 0: not yet */
	uint64_t since_us, sent_us;
	uint32_t mails; /* sent on this connection */
	uint32_t octets;
	uint8_t phase;    /* enum load_phase */
	uint8_t failures; /* in a row */
	bool idle, tried, quitting;
};

struct load {
	const struct load_options *options;
	const struct load_mails *mails;
	struct transport *transport;
	char words_buf[2048];
	struct smtp_client_words words;
	struct load_stats stats;
	struct load_progress progress;
	struct wheel wheel;
	struct load_session *sessions; /* the idle ones first */
	uint32_t n_sessions;
	struct load_session *first, **last; /* to be opened */
	uint32_t opening, active;           /* being opened; neither held nor over */
	uint32_t idle_tried;
	uint32_t next_mail;
	uint64_t now_us, start_us;
	uint64_t began_us; /* the mails, NOOPs and SYNs */
	uint64_t stop_us, last_good_us, answers_before;
	uint64_t noops_sent;
	uint64_t random;
	bool mailing, stopping;
};

/* --- load_life.c: what becomes of a connection --- */

/* To be opened when its turn comes. */
void load_life_offer(struct load *load, struct load_session *s);
bool load_life_goes_on(const struct load *load, const struct load_session *s);
bool load_life_total_reached(const struct load *load);
/* The connection is gone, one way or the other; another may follow. */
void load_life_over(struct load *load, struct load_session *s, bool failed);
void load_life_fail(struct load *load, struct load_session *s, enum load_error error);
void load_life_close(struct load *load, struct load_session *s);
/* From now on it is idle. */
void load_life_hold(struct load *load, struct load_session *s);
void load_life_wait(struct load *load, struct load_session *s, uint64_t us);
void load_life_wait_reply(struct load *load, struct load_session *s);

/* --- load_talk.c: what is said --- */

/* Out with what the client has to say, as far as it is taken. */
void load_talk_pump(struct load *load, struct load_session *s);
/* Says QUIT; what follows ends it. */
void load_talk_quit(struct load *load, struct load_session *s);
void load_talk_event(struct load *load, const struct transport_event *event);

/* --- load_pace.c: when something is begun --- */

/* The sessions to be held have been seen to: now the mails, and the time that counts. */
void load_pace_begin(struct load *load);
/* A round's share of connections, NOOPs and SYNs. */
void load_pace_round(struct load *load);
/* When the next is due. */
uint64_t load_pace_next_us(const struct load *load);
